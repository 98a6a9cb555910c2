"""Training rows of several sources: joined to be split, then repeated or left out by weight.

    sources   a: 1,000 rows, weight 0.7      b: 300 rows, weight 0.3
    joined    [a a a a a a a | b b b]        each row once, numbered through: what is split
    up-sample every source at least whole: a 1,000, b 429 (b's rows once, 129 of them twice)
    cap       no row twice:                  a 700, b 300

Rows are drawn after the split, so that copies of a row are never in two parts.
"""

import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Literal

from nybble.data.examples import Example
from nybble.data.reading import Examples
from nybble.runs.errors import InputError
from nybble.sources.lazy import Lazy, View

Strategy = Literal["up-sample", "cap"]


class Joined(Lazy[Example]):
    """The examples of several sources one after another, numbered through from 1."""

    def __init__(self, parts: Sequence[Examples]) -> None:
        self.parts = parts
        self.ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self.ends[-1]

    def read(self, index: int) -> Example:
        at = self.part(index)
        return self.parts[at].read(index - (self.ends[at - 1] if at else 0))

    def part(self, index: int) -> int:
        """Which of the parts holds the example at `index`."""
        return bisect_right(self.ends, index)

    def where(self, index: int) -> str:
        """How errors name the row of the example at `index`: its own source, its number there."""
        at = self.part(index)
        return self.parts[at].where(index - (self.ends[at - 1] if at else 0))


def mix(
    train: View[Example], joined: Joined, weights: Sequence[float], strategy: Strategy, seed: int
) -> View[Example]:
    """The examples of `train`, a view of `joined`, in the proportions `weights`.

    Rows stay in their order, copies beside each other. Raises `InputError` when a source has no
    row left to train on.
    """
    places: list[list[int]] = [[] for _ in joined.parts]
    for index in train.indices:
        places[joined.part(index)].append(index)
    for part, found in zip(joined.parts, places, strict=True):
        if not found:
            raise InputError(
                f"{part.source}: no row of it is left to train on.",
                "Leave it out of data.train, or split off fewer rows.",
            )
    takes = counts([len(found) for found in places], weights, strategy)
    chosen: list[int] = []
    for number, (found, take) in enumerate(zip(places, takes, strict=True)):
        copies, rest = divmod(take, len(found))
        drawn = random.Random(f"source {number} of {seed}").sample(found, rest)
        times = Counter(drawn)
        chosen += [index for index in found for _ in range(copies + times[index])]
    return View(joined, chosen)


def counts(rows: Sequence[int], weights: Sequence[float], strategy: Strategy) -> list[int]:
    """How many rows to take of each source, in the proportions `weights` to within half a row.

    `up-sample` takes as few as it can with every source whole, `cap` as many as it can with no row
    twice; at least one of each.
    """
    shares = [Fraction(n) / Fraction(weight) for n, weight in zip(rows, weights, strict=True)]
    scale = max(shares) if strategy == "up-sample" else min(shares)
    return [max(1, math.floor(scale * Fraction(weight) + Fraction(1, 2))) for weight in weights]
