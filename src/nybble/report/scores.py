"""The comparison as tables: each figure with the interval that its n rows leave."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nybble.report.measures import measure
from nybble.report.other_metrics import Intervals

COLOURS = ("green", "orange", "red")
Z = 1.959964


def score_table(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line per model: headline, shares of colours, answers read, the metric over those, cost."""
    return [_line(model, comparison["n"]) for model in comparison["models"]]


def _line(model: dict[str, Any], n: int) -> dict[str, Any]:
    only = model.get("parsed_only")
    return {
        "value": interval(model),
        "colours": _colours(model["metrics"], n),
        "parse_rate": _share(model.get("parse_rate"), n),
        "parsed_only": only if only and only["value"] is not None else None,
        "cost_dollars": model.get("cost_dollars"),
    }


def metric_table(
    comparison: Mapping[str, Any], intervals: Mapping[str, Intervals]
) -> dict[str, Any] | None:
    """Every metric beside the headline, model by model; None where there is no other.

    `intervals` are the models' metrics' own; a share has Wilson's.
    """
    every = [model["metrics"] for model in comparison["models"]]
    names = [name for name in dict.fromkeys(key for metrics in every for key in metrics)
             if name != comparison["metric"] and name not in COLOURS]  # fmt: skip
    if not names:
        return None
    lines = []
    for model in comparison["models"]:
        known, own = model["metrics"], intervals.get(model["name"], {})
        lines.append([_metric(name, known.get(name), own, comparison["n"]) for name in names])
    return {"measures": [measure(name).as_json() for name in names], "lines": lines}


def _metric(
    name: str, value: float | None, intervals: Intervals, n: int
) -> dict[str, float] | None:
    if value is None:
        return None
    if name in intervals:
        return {"value": value, **intervals[name]}
    return _share(value, n) if measure(name).share else {"value": value}


def pairs(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The paired differences, a minus b, with what each shows of a: better, worse or undecided.

    `corrected` tells where the interval excludes zero and only the correction for the number of
    pairs leaves it undecided.
    """
    out = []
    for pair in comparison["pairs"]:
        low, high = pair["difference"]["low"], pair["difference"]["high"]
        excludes_zero = not low <= 0 <= high
        corrected = excludes_zero and pair["outcome"] == "undecided"
        out.append({**pair, "corrected": corrected})
    return out


def slices(comparison: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Per-slice results grouped by what the rows were sliced by; an interval or None per model."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for part in comparison.get("slices", []):
        found = [interval(part["models"][n]) if n in part["models"] else None for n in names]
        line = {"slice": str(part["slice"]), "n": part["n"], "models": found}
        groups.setdefault(part["by"], []).append(line)
    return [{"by": by, "lines": lines} for by, lines in groups.items()]


def agreement(comparison: Mapping[str, Any], names: Sequence[str]) -> list[list[Any]] | None:
    """[models, models] shares of rows on which two say the same, with Wilson's intervals."""
    known = {}
    for pair in comparison.get("agreement", []):
        known[pair["a"], pair["b"]] = known[pair["b"], pair["a"]] = pair["share"]
    if not known:
        return None
    return [[_share(known.get((a, b)), comparison["n"]) for b in names] for a in names]


def share_interval(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95% interval of a share among n rows."""
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(share: float | None, n: int) -> dict[str, float] | None:
    if share is None:
        return None
    low, high = share_interval(share, n)
    return {"value": share, "low": low, "high": high}


def _colours(metrics: Mapping[str, Any], n: int) -> list[dict[str, Any]] | None:
    if not all(isinstance(metrics.get(colour), float | int) for colour in COLOURS):
        return None
    return [{"colour": colour, **(_share(metrics[colour], n) or {})} for colour in COLOURS]


def interval(found: Mapping[str, Any]) -> dict[str, float]:
    """Value, low and high of what has more keys."""
    return {key: found[key] for key in ("value", "low", "high")}
