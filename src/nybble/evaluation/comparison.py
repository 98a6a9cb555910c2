"""The comparison: baseline, tuned model and references on the same rows, and what it shows.

`compare` gives what `evaluation/comparison.json` holds; `verdict` says it in words, from the
intervals alone. Differences are the tuned model's error minus the other's: below zero is better.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nybble.evaluation.metrics.numbers import Thresholds, number_metrics
from nybble.evaluation.statistics import LEVEL, mean_interval, paired_interval
from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """One model's answer to one test row; `value` is None when no number could be read from it."""

    row: int
    prompt: str
    answer: str
    value: float | None
    truth: float

    def as_json(self) -> dict[str, Any]:
        """A line of `evaluation/{baseline,tuned}.jsonl`."""
        return asdict(self)


def compare(
    task: str,
    metric: str,
    truth: Floats,
    predictions: dict[str, Floats],
    baseline: str,
    tuned: str,
    parse_rates: dict[str, float],
    thresholds: Thresholds,
    seed: int,
    floor: str | None = None,
) -> dict[str, Any]:
    """`comparison.json`: every model's mean absolute error, and tuned minus every other, paired.

    `truth` and each of `predictions` are [n]; `baseline` and `tuned` name two of the predictions
    and of the `parse_rates` (the share of answers that held a number), and every other prediction
    is a reference. `floor` names the reference that is a perfect predictor, where the data knows
    one. Finite numbers only: what is undefined is None. Raises InputError for a name without
    predictions or parse rate, another metric than mae, and rows that do not match.
    """
    if (task, metric) != ("number", "mae"):
        raise InputError(
            f"There is no metric {metric!r} for the task {task!r}.", "Use mae, of the task number."
        )
    for name in (baseline, tuned):
        if name not in predictions or name not in parse_rates:
            raise InputError(
                f"There are no predictions or no parse rate of {name!r}.",
                f"Predictions are there for {', '.join(predictions) or 'no model'}.",
            )
    metrics = {name: number_metrics(truth, p, thresholds) for name, p in predictions.items()}
    errors = {name: np.abs(p - truth) for name, p in predictions.items()}
    value = {name: mean_interval(e, seed).as_json() for name, e in errors.items()}
    difference = {
        name: paired_interval(errors[tuned], e, seed).as_json() for name, e in errors.items()
    }
    return {
        "task": task,
        "metric": metric,
        "n": len(truth),
        "baseline_name": baseline,
        "tuned_name": tuned,
        "floor_name": floor,
        "baseline": value[baseline],
        "tuned": value[tuned],
        "difference": difference[baseline],
        "references": {
            name: {**value[name], "difference": difference[name]}
            for name in predictions
            if name not in (baseline, tuned)
        },
        "thresholds": asdict(thresholds),
        "parse_rate": {"baseline": parse_rates[baseline], "tuned": parse_rates[tuned]},
        "mse": {name: m["mse"] for name, m in metrics.items()},
        "r2": {name: m["r2"] for name, m in metrics.items()},
        "colours": {
            name: {colour: m[colour] for colour in ("green", "orange", "red")}
            for name, m in metrics.items()
        },
    }


def verdict(comparison: dict[str, Any]) -> str:
    """One sentence on tuned against baseline, and one on the references where there are any.

    A difference is called better or worse only where its interval excludes zero.
    """
    tuned, name = comparison["tuned"], comparison["baseline_name"]
    sentence = (
        f"On {comparison['n']:,} held-out rows the tuned model is off by "
        f"{rounded(tuned['value'])} on average ({_interval(tuned)}), "
        f"{_against(name, comparison['difference'])}{_unread(comparison)}."
    )
    sorted_names: dict[str, list[str]] = {}
    for reference, result in comparison["references"].items():
        if reference == comparison["floor_name"]:
            continue
        change = result["difference"]
        outcome = _outcome(change)
        sorted_names.setdefault(outcome, []).append(
            f"the {reference} ({rounded(change['value'])}, {_range(change)})"
        )
    clauses = [
        phrase + _listed(sorted_names[outcome])
        for outcome, phrase in (
            ("better", "beats "),
            ("undecided", "shows no difference from "),
            ("worse", "does worse than "),
        )
        if outcome in sorted_names
    ]
    if clauses:
        sentence += f" It {'; it '.join(clauses)}."
    return sentence + _above_floor(comparison)


def seed_spread(values: Sequence[float]) -> dict[str, float | None]:
    """What the training seed changes: `n`, `mean`, `sd` (n - 1), `min` and `max` of a metric.

    `sd` is None for one seed. Raises InputError for none.
    """
    if not values:
        raise InputError("There are no seeds to compare.", "Run the recipe with at least one.")
    return {
        "n": len(values),
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "min": float(min(values)),
        "max": float(max(values)),
    }


def _outcome(difference: dict[str, float]) -> str:
    if difference["high"] < 0:
        return "better"
    return "worse" if difference["low"] > 0 else "undecided"


def _above_floor(comparison: dict[str, Any]) -> str:
    """How far the tuned model is from a perfect predictor, where that is known."""
    name = comparison["floor_name"]
    if name is None:
        return ""
    floor = comparison["references"][name]["value"]
    ratio = comparison["tuned"]["value"] / floor if floor > 0 else None
    times = f": the tuned model is at {ratio:.2f} times that" if ratio else ""
    return f" A perfect predictor is off by {rounded(floor)}, the {name}{times}."


def _against(name: str, difference: dict[str, float]) -> str:
    """The tuned model against `name`, as the end of a sentence."""
    value, outcome = difference["value"], _outcome(difference)
    if outcome == "undecided":
        return (
            f"with no difference from the {name} shown: the paired difference is {rounded(value)}, "
            f"and its {LEVEL:.0%} interval, {_range(difference)}, includes zero"
        )
    than = "less" if outcome == "better" else "more"
    return (
        f"{rounded(abs(value))} {than} than the {name} "
        f"(paired difference {rounded(value)}, {_range(difference)}): {outcome}"
    )


def _unread(comparison: dict[str, Any]) -> str:
    """How many answers held no number: a difference may be one of form, not of knowledge."""
    names = {"baseline": f"the {comparison['baseline_name']}'s", "tuned": "the tuned model's"}
    parts = [
        f"{rounded(100 * (1 - comparison['parse_rate'][which]))}% of {whose}"
        for which, whose in names.items()
        if comparison["parse_rate"][which] < 1
    ]
    return f"; {_listed(parts)} answers held no number" if parts else ""


def _interval(result: dict[str, float]) -> str:
    return f"{LEVEL:.0%} interval {_range(result)}"


def _range(result: dict[str, float]) -> str:
    return f"{rounded(result['low'])} to {rounded(result['high'])}"


def rounded(value: float) -> str:
    """Three significant digits, or all those before the point: 14.2, 1,234, 0.00321."""
    if value == 0:
        return "0"
    exponent = int(f"{value:.2e}".partition("e")[2])
    if not -5 <= exponent <= 12:
        return f"{value:.2e}"
    return f"{value:,.{max(0, 2 - exponent)}f}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
