"""Intervals: what n rows say about the mean error, and about the difference of two models'.

Errors of price-like answers are skewed, and mean ± 1.96 standard errors then covers too little and
on the wrong side. The studentised bootstrap (bootstrap-t: Efron & Tibshirani, An Introduction to
the Bootstrap, 1993, ch. 12) learns the shape of the t statistic from the errors themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 10_000
CHUNK_DRAWS = 2_000_000
SMALLEST_SPREAD = 0.05
"""The least spread that a resample is credited with, as a share of the errors' own.

A resample that drew one value only has no spread, and its t no bound. With few rows, or one outlier
among ties, such resamples are common, and leaving them out would make those intervals the
narrowest. Held to this share they make them wide: 20 standard errors at n = 2 (Student's t: 13).
"""


@dataclass(frozen=True)
class Interval:
    """An estimate and the range that the rows leave for it; `low <= value <= high`."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign of the value is shown."""
        return self.low > 0 or self.high < 0

    def as_json(self) -> dict[str, float]:
        """The three numbers by name."""
        return {"value": self.value, "low": self.low, "high": self.high}


def mean_interval(
    errors: Floats, seed: int = 0, level: float = LEVEL, resamples: int = RESAMPLES
) -> Interval:
    """The mean of `errors` [n], with its bootstrap-t interval, in the errors' own unit.

    Takes about n * resamples * 20 ns. The same seed gives the same interval. Equal errors give an
    interval of no width. Raises InputError for n < 2 or an error that is not finite.
    """
    _check(errors, level)
    if np.all(errors == errors[0]):
        value = float(errors[0])
        return Interval(value, value, value)
    n, mean = len(errors), float(np.mean(errors))
    # In units of the largest deviation, no square can overflow or vanish.
    unit = float(np.max(np.abs(errors - mean)))
    centred_n = (errors - mean) / unit
    variance = float(np.mean(centred_n**2))
    rng = np.random.default_rng(seed)
    t = np.concatenate([_t(x_bn, variance) for x_bn in _resampled(centred_n, resamples, rng)])
    tail = (1.0 - level) / 2.0
    lowest, highest = np.quantile(t, (tail, 1.0 - tail)).tolist()
    # The plug-in variance on both sides of t: its factor n / (n - 1) would cancel.
    standard_error = unit * float(np.sqrt(variance / n))
    return Interval(
        mean,
        mean - max(highest, 0.0) * standard_error,
        mean - min(lowest, 0.0) * standard_error,
    )


def paired_interval(
    errors_a: Floats,
    errors_b: Floats,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Interval:
    """The mean of a - b over the same n rows; below zero where a errs less.

    Paired, since what makes a row hard makes it hard for both: the interval is far narrower than
    two separate ones suggest. Raises InputError as `mean_interval`, and for unequal lengths.
    """
    if errors_a.shape != errors_b.shape:
        raise InputError(
            f"Errors of {errors_a.shape} and {errors_b.shape} rows cannot be paired.",
            "Evaluate both models on the same rows.",
        )
    return mean_interval(errors_a - errors_b, seed, level, resamples)


def _resampled(values_n: Floats, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """`resamples` draws of n values with replacement, as chunks [b, n] that fit in memory."""
    n = len(values_n)
    at_once = max(1, CHUNK_DRAWS // n)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        yield values_n[rng.integers(n, size=(rows, n), dtype=np.int32)]


def _t(x_bn: Floats, variance: float) -> Floats:
    """[b] t statistics of resamples of values whose mean is 0 and whose variance is `variance`."""
    mean_b = x_bn.mean(axis=1)
    variance_b = np.einsum("bn,bn->b", x_bn, x_bn) / x_bn.shape[1] - mean_b**2
    spread_b = np.sqrt(np.maximum(variance_b, SMALLEST_SPREAD**2 * variance))
    t_b: Floats = np.sqrt(x_bn.shape[1]) * mean_b / spread_b
    return t_b


def _check(errors: Floats, level: float) -> None:
    if errors.ndim != 1 or len(errors) < 2:
        raise InputError(
            f"An interval needs at least 2 test rows; there are {errors.size}.",
            "Raise evaluate.size or data.test.",
        )
    if not np.all(np.isfinite(errors)):
        row = int(np.flatnonzero(~np.isfinite(errors))[0])
        raise InputError(
            f"The error of test row {row} is {errors[row]}.",
            "Remove the row, or correct its number.",
        )
    if not 0.0 < level < 1.0:
        raise InputError(f"The level of an interval is {level}.", "Choose a share such as 0.95.")
