"""What a comparison shows, section by section: a run's own, or one of several runs and models."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nybble.report.confusion import confusion
from nybble.report.measures import measure
from nybble.report.models import models
from nybble.report.other_metrics import Intervals, label_intervals, number_intervals
from nybble.report.scores import (
    agreement,
    metric_table,
    pairs,
    score_table,
    slices,
)
from nybble.report.text import short


def judged(comparison: Mapping[str, Any], predictions: Mapping[str, Any] | None) -> dict[str, Any]:
    """The page's sections from `comparison.json`, and what of `predictions.json` is drawn whole."""
    shown = models(comparison)
    names = [model["name"] for model in shown]
    differences = pairs(comparison)
    predictions = predictions or {}
    return {
        "verdict": {
            "text": comparison["verdict"],
            "outcome": _outcome(comparison, differences),
            "own": comparison.get("tuned_name") is not None,
        },
        "n": comparison["n"],
        "rows_of": comparison.get("rows_of"),
        "notes": comparison.get("notes", []),
        "reads": comparison.get("test_reads"),
        "task": comparison["task"],
        "measure": measure(comparison["metric"]).as_json(),
        "higher": comparison["higher_is_better"],
        "models": shown,
        "scores": score_table(comparison),
        "metrics": metric_table(comparison, _intervals(comparison, predictions)),
        "pairs": differences,
        "slices": slices(comparison, names),
        "agreement": agreement(comparison, names),
        "confusion": _confusion(comparison, predictions),
        "running": _running(comparison, names),
        "thresholds": comparison.get("thresholds"),
    }


def _outcome(comparison: Mapping[str, Any], differences: list[dict[str, Any]]) -> str | None:
    """What the tuned model against its baseline shows; None where there are no such two."""
    wanted = {comparison.get("tuned_name"), comparison.get("baseline_name")}
    for pair in differences:
        if {pair["a"], pair["b"]} == wanted:
            opposite = {"better": "worse", "worse": "better", "undecided": "undecided"}
            mine = pair["a"] == comparison["tuned_name"]
            return str(pair["outcome"] if mine else opposite[pair["outcome"]])
    return None


def _intervals(
    comparison: Mapping[str, Any], predictions: Mapping[str, Any]
) -> dict[str, Intervals]:
    """Intervals of other metrics; an answer that could not be read counts as the stand-in."""
    if not predictions or comparison["task"] not in ("number", "label"):
        return {}
    filler = predictions.get("stand_in")
    said = {
        name: [filler if value is None else value for value in values]
        for name, values in predictions["values"].items()
        if filler is not None or None not in values
    }
    if comparison["task"] == "label":
        return label_intervals(predictions["truth"], said)
    arrays = {name: np.array(values, np.float64) for name, values in said.items()}
    return number_intervals(np.array(predictions["truth"], np.float64), arrays)


def _confusion(
    comparison: Mapping[str, Any], predictions: Mapping[str, Any]
) -> dict[str, Any] | None:
    if comparison["task"] != "label" or not predictions:
        return None
    return confusion(predictions["truth"], predictions["values"])


def _running(comparison: Mapping[str, Any], names: list[str]) -> list[dict[str, Any]] | None:
    """Each model's metric over the first k rows with its band, as columns, in the models' order."""
    curves = comparison.get("running") or {}
    out = []
    for name in names:
        if points := curves.get(name):
            columns = zip(*points, strict=True)
            n, value, low, high = ([_short(number) for number in column] for column in columns)
            out.append({"name": name, "n": n, "value": value, "low": low, "high": high})
    return out or None


def _short(value: float | None) -> float | None:
    return None if value is None else short(value)
