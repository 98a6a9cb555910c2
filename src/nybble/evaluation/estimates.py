"""Which interval and which test a metric has: by what its scores are.

passed or not     exact (Clopper-Pearson), pairs by Bonett-Price and McNemar
weighed (a loss)  bootstrap-t of Σ / Σ
any other         bootstrap-t of the mean; on few rows a pair's p is of sign flips
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nybble.evaluation.contender import Contender
from nybble.evaluation.statistics import (
    Interval,
    mcnemar,
    mean_interval,
    paired_interval,
    paired_p,
    paired_ratio_interval,
    paired_ratio_p,
    paired_share_interval,
    permutation,
    ratio_interval,
    share_interval,
)
from nybble.evaluation.words import UNIT, words_of
from nybble.runs.errors import InputError

FEWEST_FOR_BOOTSTRAP = 50
FEWER_RESAMPLES = 2_000


@dataclass(frozen=True)
class Estimates:
    """The estimates of one comparison, all with the same `seed`."""

    kind: Literal["passed", "weighed", "mean"]
    bounds: tuple[float, float] | None
    seed: int

    @property
    def quicker(self) -> dict[str, int]:
        """Settings for estimates that are many and only drawn, not decided by."""
        return {} if self.kind == "passed" else {"resamples": FEWER_RESAMPLES}

    def of(self, one: Contender, rows: Any = slice(None), **settings: Any) -> Interval:
        """The headline metric over `rows` (a mask or places; all by default), with its interval.

        `settings` are the bootstrap's, where there is one.
        """
        scores, weights = one.scores[rows], one.weights[rows]
        if self.kind == "passed":
            return share_interval(scores)
        if self.kind == "weighed":
            found = ratio_interval(scores * weights, weights, self.seed, **settings)
            return found.within(self.bounds)
        return mean_interval(scores, self.seed, bounds=self.bounds, **settings)

    def difference(self, a: Contender, b: Contender) -> Interval:
        """a minus b over the same rows."""
        if self.kind == "passed":
            return paired_share_interval(a.scores, b.scores)
        if self.kind == "weighed":
            return paired_ratio_interval(a.sums, b.sums, a.weights, self.seed)
        return paired_interval(a.scores, b.scores, self.seed)

    def tested(self, a: Contender, b: Contender) -> tuple[str, float]:
        """The test that fits, and its two-sided p of no difference."""
        if self.kind == "passed":
            return "mcnemar", mcnemar(a.scores, b.scores)
        if len(a.scores) < FEWEST_FOR_BOOTSTRAP:
            return "permutation", permutation(a.sums, b.sums, self.seed)
        if self.kind == "weighed":
            return "bootstrap", paired_ratio_p(a.sums, b.sums, a.weights, self.seed)
        return "bootstrap", paired_p(a.scores, b.scores, self.seed)


def estimates_for(metric: str, contenders: Sequence[Contender], seed: int) -> Estimates:
    """The estimates that fit the scores of all `contenders`.

    Raises `InputError` for weights that differ: losses per token of two tokenizers.
    """
    first, bounds = contenders[0], words_of(metric).bounds
    for other in contenders[1:]:
        if not np.array_equal(first.weights, other.weights):
            raise InputError(
                f"{first.name} and {other.name} count other tokens in the same rows, so their "
                "losses per token cannot be compared.",
                "Compare models with the same tokenizer, or by another task.",
            )
    if np.any(first.weights != 1.0):
        return Estimates("weighed", bounds, seed)
    passed = bounds in (UNIT, None) and all(
        np.all((one.scores == 0.0) | (one.scores == 1.0)) for one in contenders
    )
    return Estimates("passed" if passed else "mean", bounds, seed)
