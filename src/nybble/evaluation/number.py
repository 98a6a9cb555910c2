"""The `number` task: the model says a number, and counts by how far off it is.

An answer is text. `extract_number` finds the number in it, `fill_unreadable` decides what an answer
without one counts as, and `number_metrics` says how far off the guesses are.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]
Colour = Literal["green", "orange", "red"]

LARGEST = 1e150
"""Larger magnitudes are no answer: the sum of their squares overflows."""

# Latin, Greek and Cyrillic: words that end at a space. In Chinese, say, a number directly follows
# a word and is none the less a number of its own.
_LETTERS = r"A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u052f"
_CURRENCY = r"[$\u20ac\u00a3\u00a5\u20b9]"
_MINUS = r"[-\u2212]"

# The hyphens of `10-15` and of `- 15` are no signs.
_SIGN = rf"(?:(?<![\w.)]){_MINUS}(?:{_CURRENCY}\ ?)?|{_CURRENCY}{_MINUS})"
# Not inside h264 or GPT-4, and not the 3 of 1.2.3.
_NOT_GLUED = rf"(?<![{_LETTERS}0-9])(?<![{_LETTERS}]{_MINUS})(?<![0-9]\.)"
_THOUSANDS = r"(?<![0-9],)[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9]|,[0-9])"
_NUMBER = re.compile(
    rf"""(?P<sign>{_SIGN})?
    {_NOT_GLUED}
    (?P<magnitude>
        (?:(?:{_THOUSANDS}|[0-9]+)(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)
        (?:[eE][-+]?[0-9]+(?!\w))?
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Thresholds:
    """Which errors are green, which orange: within an absolute error, or a share of the truth."""

    green_within: float
    green_share: float
    orange_within: float
    orange_share: float


def extract_number(text: str, how: str) -> float | None:
    """The number that `text` answers with, or None when there is none.

    `how` is `first`, `last`, or a regular expression with one group: the first number within what
    the group caught. `$1,234.50`, `15kg`, `12.`, `-$3`, `.5` and `2e3` are numbers; the digits of
    `h264` and `GPT-4` are none, `1,2,3` are three, and `10-15` are two. A number beyond `LARGEST`
    is no answer. Raises InputError when `how` is no expression with one group.
    """
    if how not in ("first", "last"):
        found = _compiled(how).search(text)
        return extract_number(found.group(1) or "", "first") if found else None
    matches = list(_NUMBER.finditer(text))
    if not matches:
        return None
    match = matches[0 if how == "first" else -1]
    magnitude = float(match["magnitude"].replace(",", ""))
    if magnitude > LARGEST:
        return None
    return -magnitude if match["sign"] else magnitude


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise InputError(
            f"evaluate.extract is not a regular expression: {error}.",
            "Use first, last, or a regular expression with one group.",
        ) from None
    if compiled.groups != 1:
        raise InputError(
            f"evaluate.extract has {compiled.groups} groups.",
            "Put the part that holds the number, and only that, in one pair of parentheses.",
        )
    return compiled


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
    """Of n guesses: `mae`, `mse`, `r2`, and the shares that are `green`, `orange` and `red`.

    `truth` and `prediction` are [n]. `r2` is None when the truth is constant, where it has no
    meaning. Raises InputError for no rows, unequal lengths, or numbers beyond `LARGEST`.
    """
    check_pair(truth, prediction)
    errors = prediction - truth
    residual, total = float(np.sum(errors**2)), float(np.sum((truth - truth.mean()) ** 2))
    constant = bool(np.all(truth == truth[0])) or total == 0.0
    r2 = -math.inf if constant else 1.0 - residual / total
    pairs = zip(truth.tolist(), prediction.tolist(), strict=True)
    colours = [colour(true, guess, thresholds) for true, guess in pairs]
    return {
        "mae": float(np.mean(np.abs(errors))),
        "mse": residual / len(truth),
        "r2": r2 if math.isfinite(r2) else None,
        "green": colours.count("green") / len(colours),
        "orange": colours.count("orange") / len(colours),
        "red": colours.count("red") / len(colours),
    }


def check_pair(truth: Floats, prediction: Floats) -> None:
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
