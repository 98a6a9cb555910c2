"""The comparison as a table: each figure with the interval that its n rows leave."""

import math
from typing import Any

import numpy as np

from nybble.evaluation.words import rounded
from nybble.report.answers import Answers, Floats, ordered, roles

METRICS = {"mae": "Mean absolute error"}
COLOURS = ("green", "orange", "red")
RESAMPLES, MOST_DRAWS = 1_000, 10_000_000
FEWEST_ROWS = 20
Z = 1.959964


def outcome(difference: dict[str, float]) -> str:
    """What an interval of tuned minus another shows: better, worse, or neither."""
    if difference["high"] < 0:
        return "better"
    return "worse" if difference["low"] > 0 else "undecided"


def score_table(comparison: dict[str, Any], answers: Answers | None) -> dict[str, Any]:
    """One line per model: error, tuned minus this one, shares of colours, r² where there is one."""
    tuned, baseline = comparison["tuned_name"], comparison["baseline_name"]
    r2 = r2_intervals(answers) if answers else {}
    lines = []
    for name in ordered(comparison):
        if name == tuned:
            error, difference = comparison["tuned"], None
        elif name == baseline:
            error, difference = comparison["baseline"], comparison["difference"]
        else:
            error = comparison["references"][name]
            difference = error["difference"]
        lines.append(
            {
                "name": name,
                "role": roles(comparison).get(name, "reference"),
                "error": _interval(error),
                "difference": _interval(difference) | {"outcome": outcome(difference)}
                if difference
                else None,
                "shares": _shares(comparison, name),
                "r2": r2.get(name),
            }
        )
    metric = METRICS.get(comparison["metric"], comparison["metric"])
    return {"metric": metric, "n": comparison["n"], "lines": lines}


def r2_intervals(answers: Answers) -> dict[str, dict[str, str]]:
    """r² of each model and its interval, as texts: percentiles of a bootstrap of the rows.

    Empty where the truth is constant, so that r² has no meaning, and for so few rows that some of
    the resamples would have next to no spread to explain.
    """
    n = len(answers.truth)
    centred = answers.truth - answers.truth.mean()
    if n < FEWEST_ROWS or not np.any(centred):
        return {}
    squares = np.stack([(v - answers.truth) ** 2 for v in answers.values.values()], axis=1)
    columns = np.column_stack([np.ones(n), centred, centred**2, squares])
    rng = np.random.default_rng(0)
    resamples = max(200, min(RESAMPLES, MOST_DRAWS // n))
    counts = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(resamples))
    sums = np.stack([count @ columns for count in counts])
    low, high = np.nanquantile(_r2(sums), (0.025, 0.975), axis=0)
    value = _r2(columns.sum(axis=0, keepdims=True))[0]
    return {
        name: {"text": _two(value[i]), "between": f"[{_two(low[i])}, {_two(high[i])}]"}
        for i, name in enumerate(answers.values)
    }


def _r2(sums: Floats) -> Floats:
    """[b, models] from sums [b, (n, t, t², each model's squared error)], t the centred truth."""
    total = sums[:, 2] - sums[:, 1] ** 2 / sums[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        r2: Floats = 1.0 - sums[:, 3:] / np.where(total > 0, total, np.nan)[:, None]
    return r2


def _two(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 100 else rounded(float(value))


def share_interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share among n rows."""
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _shares(comparison: dict[str, Any], name: str) -> list[dict[str, Any]] | None:
    shares = comparison.get("colours", {}).get(name)
    if not shares:
        return None
    out = []
    for colour in COLOURS:
        low, high = share_interval(shares[colour], comparison["n"])
        out.append({"colour": colour, "share": shares[colour], "low": low, "high": high})
    return out


def _interval(interval: dict[str, float]) -> dict[str, Any]:
    """The numbers for the drawing, and as text."""
    value, low, high = (interval[key] for key in ("value", "low", "high"))
    text, between = rounded(value), f"[{rounded(low)}, {rounded(high)}]"
    return {"value": value, "low": low, "high": high, "text": text, "between": between}
