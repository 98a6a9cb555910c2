"""Intervals of Σ / Σ: a loss per token is the sum of losses over the sum of tokens, not a mean.

Rows are what was drawn, not tokens: the tokens of one row belong together, and taking them for
independent would make the interval too narrow. So whole rows are redrawn (bootstrap-t, as for
means), with the standard error of the linearised ratio (Cochran, Sampling Techniques, 1977, ch. 6).
"""

import numpy as np

from nybble.evaluation.statistics.bootstrap import (
    RESAMPLES,
    equal_interval,
    equal_p,
    studentised,
)
from nybble.evaluation.statistics.interval import (
    LEVEL,
    Floats,
    Interval,
    check_level,
    check_pair,
    check_rows,
)
from nybble.runs.errors import InputError

ROUNDING = 1e-12


def ratio_interval(
    numerators: Floats,
    weights: Floats,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Σ numerators / Σ weights of n rows, such as losses and scored tokens, with its interval.

    Both are [n]. A row of weight 0 says nothing and is left out; its numerator must be 0. Rows of
    one and the same ratio give an interval of no width. Raises InputError for fewer than 2 rows
    with a weight, a number that is not finite, or a weight below 0.
    """
    numerators, weights = _weighed(numerators, weights)
    check_level(level)
    if _same_ratio(numerators, weights):
        value = float(numerators.sum() / weights.sum())
        return Interval(value, value, value)
    return studentised(numerators, weights, seed, resamples).interval(level)


def paired_ratio_interval(
    numerators_a: Floats,
    numerators_b: Floats,
    weights: Floats,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """Σ (a - b) / Σ weights over the same n rows; below zero where a's loss is lower.

    The weights are common to both: losses per token of two tokenizers cannot be compared (weigh
    them by bytes). Raises InputError as `ratio_interval`, and for unequal lengths.
    """
    check_pair(numerators_a, numerators_b)
    differences, weights = _weighed(numerators_a - numerators_b, weights)
    check_level(level)
    if _same_ratio(differences, weights):
        return equal_interval(float(differences.sum() / weights.sum()), len(differences), level)
    return studentised(differences, weights, seed, resamples).interval(level)


def paired_ratio_p(
    numerators_a: Floats,
    numerators_b: Floats,
    weights: Floats,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> float:
    """The two-sided p that belongs to `paired_ratio_interval`."""
    check_pair(numerators_a, numerators_b)
    differences, weights = _weighed(numerators_a - numerators_b, weights)
    if _same_ratio(differences, weights):
        return equal_p(float(differences.sum()), len(differences))
    return studentised(differences, weights, seed, resamples).p()


def linearised(numerators: Floats, weights: Floats) -> Floats:
    """A value for each row [n] with a weight, whose mean is Σ numerators / Σ weights.

    Their spread is what the ratio's standard error is made of, so whatever is said of a mean of
    rows, such as by `rows_to_settle`, can be said of a ratio: ratio + residual / mean weight.
    """
    numerators, weights = _weighed(numerators, weights)
    ratio = numerators.sum() / weights.sum()
    values: Floats = ratio + (numerators - ratio * weights) / weights.mean()
    return values


def _weighed(numerators: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The rows that have a weight."""
    if numerators.shape != weights.shape:
        raise InputError(
            f"There are {numerators.shape} sums for {weights.shape} weights.",
            "Give one weight, such as the scored tokens, for each test row.",
        )
    check_rows(weights)
    check_rows(numerators)
    wrong = np.flatnonzero((weights < 0) | ((weights == 0) & (numerators != 0)))
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"Test row {row} has a sum of {numerators[row]} over a weight of {weights[row]}.",
            "Give a weight above 0, or 0 where nothing was scored.",
        )
    kept = weights > 0
    check_rows(weights[kept])
    return numerators[kept], weights[kept]


def _same_ratio(numerators: Floats, weights: Floats) -> bool:
    expected = weights * (numerators.sum() / weights.sum())
    return bool(np.all(np.abs(numerators - expected) <= ROUNDING * np.abs(numerators).max()))
