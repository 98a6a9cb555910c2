"""Intervals of means: what n rows say about the mean error, and about two models' difference.

Errors of price-like answers are skewed, and mean ± 1.96 standard errors then covers too little and
on the wrong side. The studentised bootstrap (bootstrap-t: Efron & Tibshirani, An Introduction to
the Bootstrap, 1993, ch. 12) learns the shape of the t statistic from the errors themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nybble.evaluation.statistics.interval import (
    LEVEL,
    Floats,
    Interval,
    check_level,
    check_pair,
    check_rows,
    unseen_share,
)
from nybble.runs.errors import InputError

RESAMPLES = 10_000
CHUNK_DRAWS = 2_000_000
ROUNDING = 1e-12
SMALLEST_SPREAD = 0.05
"""The least spread that a resample is credited with, as a share of the errors' own.

A resample that drew one value only has no spread, and its t no bound. With few rows, or one outlier
among ties, such resamples are common, and leaving them out would make those intervals the
narrowest. Held to this share they make them wide: 20 standard errors at n = 2 (Student's t: 13).
"""


@dataclass(frozen=True)
class Studentised:
    """An estimate, its standard error, and t statistics [resamples] of the same rows redrawn."""

    value: float
    standard_error: float
    t: Floats

    def interval(self, level: float) -> Interval:
        """The bootstrap-t interval: the estimate less quantiles of t, in standard errors."""
        tail = (1.0 - level) / 2.0
        lowest, highest = np.quantile(self.t, (tail, 1.0 - tail)).tolist()
        return Interval(
            self.value,
            self.value - max(highest, 0.0) * self.standard_error,
            self.value - min(lowest, 0.0) * self.standard_error,
        )

    def p(self) -> float:
        """Two-sided p of no effect: below 1 - level just where the interval excludes zero.

        Never below 1 / (resamples + 1), which is all that so many resamples can tell.
        """
        t = self.value / self.standard_error
        beyond = int(np.sum(self.t >= t if t > 0 else self.t <= t))
        return min(1.0, 2.0 * (1 + beyond) / (len(self.t) + 1))


def mean_interval(
    errors: Floats,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    bounds: tuple[float, float] | None = None,
) -> Interval:
    """The mean of `errors` [n], with its bootstrap-t interval, in the errors' own unit.

    `bounds` are the least and the largest value that a row can have, such as (0, 1) for a share or
    (0, inf) for an error: the interval stays within them. Where both are finite and all rows are
    equal, it leaves room for rows that were not seen; else equal errors give one of no width. For
    what is either 0 or 1, `share_interval` is exact. Takes about n * resamples * 20 ns. The same
    seed gives the same interval. Raises InputError for n < 2, and for an error that is
    not finite or out of bounds.
    """
    check_rows(errors)
    check_level(level)
    low, high = bounds or (-np.inf, np.inf)
    if errors.min() < low or errors.max() > high:
        raise InputError(
            f"A row has {errors.min():g} and one {errors.max():g}: not all within {low} to {high}.",
            "Correct the metric, or the bounds that are given for it.",
        )
    if np.all(errors == errors[0]):
        value, unseen = float(errors[0]), unseen_share(len(errors), level)
        if not np.isfinite(high - low):
            return Interval(value, value, value)
        return Interval(value, value - unseen * (value - low), value + unseen * (high - value))
    return studentised(errors, None, seed, resamples).interval(level).within(bounds)


def paired_interval(
    errors_a: Floats,
    errors_b: Floats,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """The mean of a - b over the same n rows; below zero where a errs less.

    Paired, since what makes a row hard makes it hard for both: the interval is far narrower than
    two separate ones suggest. Where all n differences are the same, it says what their signs alone
    say: fewer than 6 rows show no sign at 95%. Raises InputError as `mean_interval`, and for
    unequal lengths.
    """
    check_pair(errors_a, errors_b)
    differences = errors_a - errors_b
    check_rows(differences)
    check_level(level)
    if _equal_differences(errors_a, errors_b):
        return equal_interval(float(differences[0]), len(differences), level)
    return studentised(differences, None, seed, resamples).interval(level)


def paired_p(
    errors_a: Floats, errors_b: Floats, seed: int = 0, resamples: int = RESAMPLES
) -> float:
    """The two-sided p that belongs to `paired_interval`: of the same resamples, for one seed."""
    check_pair(errors_a, errors_b)
    differences = errors_a - errors_b
    check_rows(differences)
    if _equal_differences(errors_a, errors_b):
        return equal_p(float(differences[0]), len(differences))
    return studentised(differences, None, seed, resamples).p()


def _equal_differences(errors_a: Floats, errors_b: Floats) -> bool:
    """Whether a - b is the same on all rows, to the rounding of the errors that it was made of.

    1.3 - 1.0 and 2.3 - 2.0 differ in the last bits, a spread that says nothing of other rows.
    """
    differences = errors_a - errors_b
    size = np.abs(errors_a) + np.abs(errors_b)
    apart = np.abs(differences - differences[0])
    return bool(np.all(apart <= ROUNDING * np.maximum(size, size[0])))


def equal_interval(value: float, n: int, level: float) -> Interval:
    """Of n equal differences: rows that were not seen may be as far on the other side of zero.

    So it excludes zero just where the sign test does, where 2 * 0.5^n < 1 - level.
    """
    reach = 2.0 * abs(value) * unseen_share(n, level)
    return Interval(value, value - reach, value + reach)


def equal_p(value: float, n: int) -> float:
    """The sign test of n equal differences."""
    return min(1.0, 2.0 * 0.5**n) if value else 1.0


def studentised(
    numerators: Floats, weights: Floats | None, seed: int, resamples: int
) -> Studentised:
    """Σ numerators / Σ weights over rows [n] (without weights: the mean), and its resampled t.

    The rows are not all equal, and weights are above 0. The standard error is that of the
    linearised ratio: with the residuals e = numerator - ratio * weight, √mean(e²) / (√n mean(w)).
    """
    n = len(numerators)
    mean_weight = 1.0 if weights is None else float(np.mean(weights))
    value = float(np.mean(numerators)) / mean_weight
    residual_n = numerators - (value if weights is None else value * weights)
    # In units of the largest residual, no square can overflow or vanish.
    unit = float(np.max(np.abs(residual_n)))
    residual_n = residual_n / unit
    weight_n = None if weights is None else weights / mean_weight
    variance = float(np.mean(residual_n**2))
    rng = np.random.default_rng(seed)
    t = [
        _t(residual_n[rows], None if weight_n is None else weight_n[rows], variance)
        for rows in _draws(n, resamples, rng)
    ]
    # The plug-in variance on both sides of t: its factor n / (n - 1) would cancel.
    standard_error = unit / mean_weight * float(np.sqrt(variance / n))
    return Studentised(value, standard_error, np.concatenate(t))


def _draws(
    n: int, resamples: int, rng: np.random.Generator
) -> Iterator[np.ndarray[tuple[int, int], np.dtype[np.int32]]]:
    """`resamples` draws of n row numbers with replacement, as chunks [b, n] that fit in memory."""
    at_once = max(1, CHUNK_DRAWS // n)
    for start in range(0, resamples, at_once):
        yield rng.integers(n, size=(min(at_once, resamples - start), n), dtype=np.int32)


def _t(e_bn: Floats, w_bn: Floats | None, variance: float) -> Floats:
    """[b] t statistics of resampled residuals, whose mean was 0 and variance `variance`.

    In a resample, the ratio moves by mean(e) / mean(w), and its residuals are e - moved * w.
    """
    n = e_bn.shape[1]
    mean_b = e_bn.mean(axis=1)
    variance_b = np.einsum("bn,bn->b", e_bn, e_bn) / n
    if w_bn is None:
        variance_b -= mean_b**2
    else:
        moved_b = mean_b / w_bn.mean(axis=1)
        variance_b -= 2.0 * moved_b * np.einsum("bn,bn->b", e_bn, w_bn) / n
        variance_b += moved_b**2 * np.einsum("bn,bn->b", w_bn, w_bn) / n
    spread_b = np.sqrt(np.maximum(variance_b, SMALLEST_SPREAD**2 * variance))
    t_b: Floats = np.sqrt(n) * mean_b / spread_b
    return t_b
