"""Intervals of the metrics beside the headline, where the rows' values are enough to resample them.

Percentiles of a bootstrap of the rows. Of other metrics (chrF over all rows as one text, one's own)
there is none, and the page says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Intervals = dict[str, dict[str, float]]
RESAMPLES, MOST_DRAWS = 1_000, 10_000_000
FEWEST_ROWS = 20


def number_intervals(truth: Floats, values: Mapping[str, Floats]) -> dict[str, Intervals]:
    """Of each model its `mse`, `r2` and, where no number is below -1, `rmsle`.

    `truth` and each of `values` are [n]. r² has no meaning where the truth is constant. Empty for
    so few rows that some of the resamples would have next to no spread to explain.
    """
    n = len(truth)
    if n < FEWEST_ROWS:
        return {}
    draws = _draws(n)
    varied = bool(np.any(truth != truth[0]))
    centred = truth - truth.mean()
    total_b = draws @ centred**2 - (draws @ centred) ** 2 / n
    total_b = np.where(total_b > 0, total_b, np.nan)
    found: dict[str, Intervals] = {}
    for name, said in values.items():
        squares_b = draws @ (said - truth) ** 2
        metrics = {"mse": _between(squares_b / n)}
        if varied:
            metrics["r2"] = _between(1.0 - squares_b / total_b)
        if min(truth.min(), said.min()) > -1.0:
            logs_b = draws @ (np.log1p(said) - np.log1p(truth)) ** 2
            metrics["rmsle"] = _between(np.sqrt(logs_b / n))
        found[name] = metrics
    return found


def label_intervals(
    truth: Sequence[Any], values: Mapping[str, Sequence[Any]]
) -> dict[str, Intervals]:
    """Of each model its `macro_f1`: the mean over labels that occur in truth or answers.

    `values` hold what each answer counts as. Rows of one true label and one answer are alike, so
    counts of such pairs are drawn and not rows.
    """
    n = len(truth)
    if n < FEWEST_ROWS:
        return {}
    rng = np.random.default_rng(0)
    found: dict[str, Intervals] = {}
    for name, said in values.items():
        labels, codes = np.unique([*map(str, truth), *map(str, said)], return_inverse=True)
        k = len(labels)
        cells = np.bincount(codes[:n] * k + codes[n:], minlength=k * k)
        draws = rng.multinomial(n, cells / n, RESAMPLES).reshape(RESAMPLES, k, k)
        found[name] = {"macro_f1": _between(_macro_f1(draws))}
    return found


def _macro_f1(counts_btk: npt.NDArray[np.int64]) -> Floats:
    """[b] from counts [b, truth, answer]; a label that is in neither is left out of the mean."""
    hits = np.diagonal(counts_btk, axis1=1, axis2=2)
    both = counts_btk.sum(axis=1) + counts_btk.sum(axis=2)
    f1 = np.divide(2.0 * hits, both, out=np.zeros(both.shape), where=both > 0)
    mean: Floats = f1.sum(axis=1) / (both > 0).sum(axis=1)
    return mean


def _draws(n: int) -> Floats:
    """How often each row is drawn [resamples, n]."""
    rng = np.random.default_rng(0)
    resamples = max(200, min(RESAMPLES, MOST_DRAWS // n))
    return rng.multinomial(n, np.full(n, 1.0 / n), resamples).astype(np.float64)


def _between(draws_b: Floats) -> dict[str, float]:
    low, high = np.nanquantile(draws_b, (0.025, 0.975))
    return {"low": float(low), "high": float(high)}
