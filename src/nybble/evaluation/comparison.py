"""The comparison: any number of models on the same rows, paired, and what it shows.

`compare` gives what `comparison.json` holds; `of_run` adds what a run's has beside it: which model
is the tuned one and which the baseline. Differences are a's score minus b's, in the metric's unit.
"""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from nybble.evaluation.contender import Contender, Floats
from nybble.evaluation.estimates import Estimates, estimates_for
from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.slices import Slicing, sliced
from nybble.evaluation.statistics import (
    LEVEL,
    Interval,
    holm,
    linearised,
    rows_to_settle,
    running_estimate,
)
from nybble.evaluation.task import Task
from nybble.evaluation.verdict import verdict
from nybble.evaluation.words import words_of
from nybble.runs.errors import InputError


def compare(
    task: Task,
    contenders: Sequence[Contender],
    seed: int,
    slicings: Sequence[Slicing] = (),
    pairs: Sequence[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """`comparison.json` of models whose answers to the same rows were judged by `task`.

    `pairs` names what is tested, a against b; by default all, and a verdict is given on them.
    p-values are corrected for the number of pairs (Holm). Finite numbers only: what is undefined is
    None. Raises `InputError` for two models of one name, for other rows, and for fewer than two.
    """
    by_name = {one.name: one for one in contenders}
    _check(contenders, by_name)
    estimates = estimates_for(task.metric, contenders, seed)
    chosen = list(combinations(by_name, 2)) if pairs is None else list(pairs)
    tested = [_pair(by_name[a], by_name[b], estimates) for a, b in chosen]
    corrected = holm([pair["p"] for pair in tested])
    for pair, p in zip(tested, corrected, strict=True):
        pair["p_holm"] = p
        pair["outcome"] = _outcome(pair, task.higher_is_better)
        if pair["outcome"] == "undecided":
            a, b = by_name[pair["a"]], by_name[pair["b"]]
            pair["rows_to_settle"] = rows_to_settle(linearised(a.sums - b.sums, a.weights))
    words = words_of(task.metric)
    comparison = {
        "task": task.name,
        "metric": task.metric,
        "title": words.title,
        "share": words.share,
        "higher_is_better": task.higher_is_better,
        "n": len(contenders[0].judged),
        "seed": seed,
        "models": [_model(task, one, estimates) for one in contenders],
        "pairs": tested,
        "slices": [part for one in slicings for part in sliced(one, contenders, estimates)],
        "agreement": [_agreement(task, a, b) for a, b in combinations(contenders, 2)],
        "running": {one.name: _running(one, estimates) for one in contenders},
    }
    return comparison if pairs is not None else comparison | {"verdict": verdict(comparison)}


def of_run(
    comparison: dict[str, Any],
    tuned: str,
    baseline: str,
    floor: str | None = None,
    thresholds: Thresholds | None = None,
) -> dict[str, Any]:
    """A comparison of pairs (tuned, other) as a run's: with the keys that say who is who.

    `floor` names the reference that is a perfect predictor, where the data knows one. Of numbers,
    it also holds the `thresholds` of colours, and by model their shares, squared error and r².
    Raises `InputError` for a name that is not among the models.
    """
    models = {model["name"]: model for model in comparison["models"]}
    for name in (tuned, baseline):
        if name not in models:
            raise InputError(
                f"There are no predictions of {name!r}.",
                f"Predictions are there for {', '.join(models)}.",
            )
    value = {
        name: {key: model[key] for key in ("value", "low", "high")}
        for name, model in models.items()
    }
    difference = {pair["b"]: pair["difference"] for pair in comparison["pairs"]}
    found = comparison | {
        "baseline_name": baseline,
        "tuned_name": tuned,
        "floor_name": floor,
        "baseline": value[baseline],
        "tuned": value[tuned],
        "difference": difference[baseline],
        "references": {
            name: {**value[name], "difference": difference[name]}
            for name in models
            if name not in (baseline, tuned)
        },
        "parse_rate": {
            "baseline": models[baseline]["parse_rate"],
            "tuned": models[tuned]["parse_rate"],
        },
    }
    if comparison["task"] == "number" and thresholds:
        found |= _of_numbers(models, thresholds)
    return found | {"verdict": verdict(found)}


def _of_numbers(models: dict[str, dict[str, Any]], thresholds: Thresholds) -> dict[str, Any]:
    metrics = {name: model["metrics"] for name, model in models.items()}
    return {
        "thresholds": asdict(thresholds),
        "mse": {name: found["mse"] for name, found in metrics.items()},
        "r2": {name: found["r2"] for name, found in metrics.items()},
        "colours": {
            name: {colour: found[colour] for colour in ("green", "orange", "red")}
            for name, found in metrics.items()
        },
    }


def _check(contenders: Sequence[Contender], by_name: dict[str, Contender]) -> None:
    if len(by_name) != len(contenders):
        raise InputError("Two models have the same name.", "Give each a name of its own.")
    if not contenders:
        raise InputError("There is no model to compare.", "Name at least one.")
    rows = [[one.row for one in contender.judged] for contender in contenders]
    for contender, judged in zip(contenders, rows, strict=True):
        if judged != rows[0]:
            raise InputError(
                f"{contender.name} was judged on other rows than {contenders[0].name}.",
                "Evaluate all models on the same rows.",
            )


def _model(task: Task, one: Contender, estimates: Estimates) -> dict[str, Any]:
    """An entry of `models`."""
    value = estimates.of(one).as_json()
    return {
        "name": one.name,
        "kind": one.kind,
        **value,
        "metrics": task.metrics(one.judged),
        "parse_rate": one.parse_rate,
        "parsed_only": _parsed_only(one, value, estimates),
        "cost_dollars": one.cost_dollars,
    }


def _parsed_only(one: Contender, of_all: dict[str, float], estimates: Estimates) -> dict[str, Any]:
    """The metric over the rows whose answer could be read; None where they are too few."""
    count = int(one.parsed.sum())
    if count == len(one.parsed):
        return {"n": count, **of_all}
    if count < 2:
        return {"n": count, "value": None, "low": None, "high": None}
    return {"n": count, **estimates.of(one, one.parsed).as_json()}


def _pair(a: Contender, b: Contender, estimates: Estimates) -> dict[str, Any]:
    """a minus b: the difference with its interval, and the p-value of none."""
    test, p = estimates.tested(a, b)
    return {
        "a": a.name,
        "b": b.name,
        "difference": estimates.difference(a, b).as_json(),
        "test": test,
        "p": p,
        "p_holm": p,
        "outcome": "undecided",
        "rows_to_settle": None,
    }


def _outcome(pair: dict[str, Any], higher_is_better: bool) -> str:
    """What is shown of a against b: `better` or `worse` only where the interval excludes zero, and
    the corrected p-value agrees."""
    low, high = pair["difference"]["low"], pair["difference"]["high"]
    if low <= 0 <= high or pair["p_holm"] >= 1 - LEVEL:
        return "undecided"
    return "better" if (low > 0) == higher_is_better else "worse"


def _agreement(task: Task, a: Contender, b: Contender) -> dict[str, Any]:
    same = [task.agree(one, other) for one, other in zip(a.judged, b.judged, strict=True)]
    return {"a": a.name, "b": b.name, "share": sum(same) / len(same)}


def _running(one: Contender, estimates: Estimates) -> list[list[float]]:
    """[n, value, low, high] of the first n rows, for a growing n."""
    places = np.arange(len(one.judged), dtype=np.float64)
    settings = estimates.quicker

    def interval(first: Floats) -> Interval:
        return estimates.of(one, slice(0, len(first)), **settings)

    return [list(point) for point in running_estimate(places, interval)]
