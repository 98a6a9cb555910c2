"""Metrics of numbers: how far off guesses are, and how many are near enough.

`fill_unreadable` decides what an answer that holds no number counts as.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]
Colour = Literal["green", "orange", "red"]

MEASURES = ("mae", "mse", "rmsle", "r2", "green", "orange", "red")
LARGEST = 1e150
"""Larger magnitudes are no answer: the sum of their squares overflows."""


@dataclass(frozen=True)
class Thresholds:
    """Which errors are green, which orange: within an absolute error, or a share of the truth."""

    green_within: float
    green_share: float
    orange_within: float
    orange_share: float


def fill_unreadable(predictions: Sequence[float | None], fallback: float) -> Floats:
    """[n] guesses, an unreadable answer (None) counting as `fallback`.

    `fallback` is the constant reference's guess, the median of the training truth: an answer
    without a number says nothing, so it is worth what knowing nothing is worth. Counting it as 0
    distorts (it punishes silence on dear items and rewards it on cheap ones), and dropping the row
    lets a model gain by staying silent where it would be wrong.
    """
    return np.array([fallback if value is None else value for value in predictions], np.float64)


def colour(truth: float, prediction: float, thresholds: Thresholds) -> Colour:
    """How good one guess is: absolutely or relative to the truth, whichever is kinder.

    Both bounds are exclusive. Relative to a truth of 0, any error is infinite.
    """
    error = abs(prediction - truth)
    share = error / abs(truth) if truth else (math.inf if error else 0.0)
    if error < thresholds.green_within or share < thresholds.green_share:
        return "green"
    if error < thresholds.orange_within or share < thresholds.orange_share:
        return "orange"
    return "red"


def number_metrics(
    truth: Floats, prediction: Floats, thresholds: Thresholds
) -> dict[str, float | None]:
    """Of n guesses: `mae`, `mse`, `rmsle`, `r2`, and the shares `green`, `orange` and `red`.

    `truth` and `prediction` are [n]. `rmsle` is √mean((log(1 + guess) - log(1 + truth))²), and None
    where one of them is -1 or less; `r2` is None when the truth is constant, where it has no
    meaning. Raises InputError for no rows, unequal lengths, or numbers beyond `LARGEST`.
    """
    _check_pair(truth, prediction)
    errors = prediction - truth
    residual, total = float(np.sum(errors**2)), float(np.sum((truth - truth.mean()) ** 2))
    constant = bool(np.all(truth == truth[0])) or total == 0.0
    r2 = -math.inf if constant else 1.0 - residual / total
    pairs = zip(truth.tolist(), prediction.tolist(), strict=True)
    colours = [colour(true, guess, thresholds) for true, guess in pairs]
    return {
        "mae": float(np.mean(np.abs(errors))),
        "mse": residual / len(truth),
        "rmsle": _rmsle(truth, prediction),
        "r2": r2 if math.isfinite(r2) else None,
        "green": colours.count("green") / len(colours),
        "orange": colours.count("orange") / len(colours),
        "red": colours.count("red") / len(colours),
    }


def _rmsle(truth: Floats, prediction: Floats) -> float | None:
    if min(truth.min(), prediction.min()) <= -1.0:
        return None
    return float(np.sqrt(np.mean((np.log1p(prediction) - np.log1p(truth)) ** 2)))


def _check_pair(truth: Floats, prediction: Floats) -> None:
    if truth.ndim != 1 or truth.shape != prediction.shape or not len(truth):
        raise InputError(
            f"Cannot compare {prediction.shape} guesses with {truth.shape} true values.",
            "Give one guess for each of one or more test rows.",
        )
    for name, values in (("true value", truth), ("guess", prediction)):
        wrong = np.flatnonzero(~(np.abs(values) <= LARGEST))
        if len(wrong):
            raise InputError(
                f"The {name} of test row {wrong[0]} is {values[wrong[0]]}.",
                "Remove the row, or correct its number.",
            )
