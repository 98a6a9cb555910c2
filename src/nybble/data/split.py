"""Train, validation and test rows: disjoint, drawn by a seed, and stable when rows are appended.

Each row has a key for each part, a hash of seed, part and the row's place. A part of n rows is the
n smallest keys; a part that is a share is all keys below the share. So when rows are appended

    a share   keeps every row where it is
    a count   takes in some of the new rows, and gives back as many to the rows below it

and in both no row that was trained on is ever judged on. With `data.split_by`, rows that agree in a
column share their keys and so stay together: a part then holds whole groups, at least n rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nybble.data.columns import numbers_in, values_in
from nybble.data.examples import Example
from nybble.recipe.row_parts import RowRange
from nybble.runs.errors import InputError
from nybble.sources.lazy import View

Held = int | float | RowRange | Sequence[Example]
Keys = NDArray[np.uint64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """A source of a mixture: its rows are numbered `first` to `last`; `trained_on` says how many
    rows of it are trained on, copies counted."""

    source: str
    first: int
    last: int
    trained_on: int


@dataclass(frozen=True)
class Splits:
    """Examples to train on, to choose on, and to judge on: views, not copies.

    `shares` are there when the training rows are a mixture; `repeats` is what `leakage` found,
    `cut` how many rows of each part `truncate` has shortened.
    """

    train: Sequence[Example]
    validation: Sequence[Example]
    test: Sequence[Example]
    shares: tuple[Share, ...] = ()
    repeats: Mapping[str, Any] = field(default_factory=dict)
    cut: Mapping[str, int] = field(default_factory=dict)


def split_examples(
    examples: Sequence[Example],
    validation: Held,
    test: Held,
    seed: int,
    *,
    rows: RowRange | None = None,
    split_by: str | None = None,
    source: str = "data.train",
) -> Splits:
    """Take `validation` and `test` rows out of `examples`, or use the ones given.

    Each is a number of rows, a share (of what the test rows leave, for the validation rows), a
    range of a column, or examples of its own. Test rows are taken first: they stay the same when
    the size of the validation part changes. Rows outside the range `rows` are left out.
    Raises `InputError` when no row would be left to train on, and for a missing column.
    """
    left = np.ones(len(examples), dtype=bool)
    if rows is not None:
        left &= _within(examples, rows, source)
    groups = values_in(examples, split_by, "data.split_by", source) if split_by else None
    asked = sum(p for p in (validation, test) if isinstance(p, int))
    if asked >= left.sum():
        raise _nothing_left(asked, int(left.sum()))

    def take(name: str, part: Held) -> Sequence[Example]:
        nonlocal left
        if isinstance(part, Sequence):
            return part
        if isinstance(part, RowRange):
            chosen = left & _within(examples, part, source)
        else:
            seeded = f"{name} part of {seed}"
            keys = group_keys(groups, seeded) if groups else row_keys(len(examples), seeded)
            chosen = left & drawn(keys, left, part)
        left = left & ~chosen
        return View(examples, np.flatnonzero(chosen).tolist())

    test_rows = take("test", test)
    validation_rows = take("validation", validation)
    if not left.any():
        raise _nothing_left(len(test_rows) + len(validation_rows), len(examples))
    return Splits(View(examples, np.flatnonzero(left).tolist()), validation_rows, test_rows)


def drawn(keys: Keys, candidates: Flags, part: int | float) -> Flags:
    """Which rows [rows] have the `part` smallest keys of the `candidates`, or keys below a share.

    Rows of equal keys go together.
    """
    if isinstance(part, float):
        return keys < np.uint64(part * 2.0**64)
    among = keys[candidates]
    if part == 0:
        return np.zeros(len(keys), dtype=bool)
    if part >= len(among):
        return np.ones(len(keys), dtype=bool)
    taken: Flags = keys <= np.partition(among, part - 1)[part - 1]
    return taken


def row_keys(count: int, seeded: str) -> Keys:
    """A key for each row's place [rows], no two alike: the outputs of SplitMix64 from `seeded`.

    Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
    """
    step, start = np.uint64(0x9E3779B97F4A7C15), np.uint64(_digest(seeded))
    z = np.arange(1, count + 1, dtype=np.uint64) * step + start
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def group_keys(groups: Sequence[str], seeded: str) -> Keys:
    """A key for each row's group [rows]: equal where the groups are equal."""
    keys = {group: _digest(f"{seeded} {group}") for group in set(groups)}
    return np.array([keys[group] for group in groups], dtype=np.uint64)


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


def _within(examples: Sequence[Example], asked: RowRange, source: str) -> Flags:
    numbers = numbers_in(examples, asked.column, source)
    low = -np.inf if asked.first is None else asked.first
    high = np.inf if asked.last is None else asked.last
    return (numbers >= low) & (numbers <= high)


def _nothing_left(taken: int, rows: int) -> InputError:
    return InputError(
        f"data.validation and data.test take {taken:,} rows, but there are only "
        f"{rows:,}: none is left to train on.",
        "Give smaller numbers, for example data.validation=20 data.test=50.",
    )
