"""The comparison: any number of models on the same rows, paired, and what it shows.

`compare` gives what `comparison.json` holds; `of_run` adds what a run's has beside it: which model
is the tuned one and which the baseline. Differences are a's score minus b's, in the metric's unit.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from nybble.evaluation.contender import Contender, Floats, estimate
from nybble.evaluation.slices import Slicing, sliced
from nybble.evaluation.statistics import (
    LEVEL,
    Interval,
    holm,
    mcnemar,
    paired_interval,
    paired_ratio_interval,
    permutation,
    rows_to_settle,
    running_estimate,
)
from nybble.evaluation.task import Task
from nybble.evaluation.verdict import verdict
from nybble.evaluation.words import words_of
from nybble.runs.errors import InputError

FEWEST_FOR_BOOTSTRAP = 50


def compare(
    task: Task,
    contenders: Sequence[Contender],
    seed: int,
    slicings: Sequence[Slicing] = (),
    pairs: Sequence[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    """`comparison.json` of models whose answers to the same rows were judged by `task`.

    `pairs` names what is tested, a against b; by default all, and a verdict on them. p-values are corrected for their
    number (Holm). Finite numbers only: what is undefined is None. Raises `InputError` for two
    models of one name, for other rows, and for fewer than two rows.
    """
    by_name = {one.name: one for one in contenders}
    _check(contenders, by_name)
    chosen = list(combinations(by_name, 2)) if pairs is None else list(pairs)
    tested = [_pair(task, by_name[a], by_name[b], seed) for a, b in chosen]
    corrected = holm([pair["p"] for pair in tested])
    for pair, p in zip(tested, corrected, strict=True):
        pair["p_holm"] = p
        pair["outcome"] = _outcome(pair, task.higher_is_better)
        if pair["outcome"] == "undecided":
            pair["rows_to_settle"] = rows_to_settle(
                _differences(by_name[pair["a"]], by_name[pair["b"]])
            )
    words = words_of(task.metric)
    comparison = {
        "task": task.name,
        "metric": task.metric,
        "title": words.title,
        "share": words.share,
        "higher_is_better": task.higher_is_better,
        "n": len(contenders[0].judged),
        "seed": seed,
        "models": [one.as_json(task, seed) for one in contenders],
        "pairs": tested,
        "slices": [part for one in slicings for part in sliced(one, contenders, seed)],
        "agreement": [_agreement(task, a, b) for a, b in combinations(contenders, 2)],
        "running": {one.name: _running(one, seed) for one in contenders},
    }
    return comparison if pairs is not None else comparison | {"verdict": verdict(comparison)}


def of_run(
    comparison: dict[str, Any], tuned: str, baseline: str, floor: str | None = None
) -> dict[str, Any]:
    """A comparison of pairs (tuned, other) as a run's: with the keys that say who is who.

    `floor` names the reference that is a perfect predictor, where the data knows one. Raises
    `InputError` for a name that is not among the models.
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
    return found | {"verdict": verdict(found)}


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


def _pair(task: Task, a: Contender, b: Contender, seed: int) -> dict[str, Any]:
    """a minus b: the difference with its interval, and the p-value of none."""
    difference = _difference(a, b, seed)
    test, p = _tested(a, b, seed)
    return {
        "a": a.name,
        "b": b.name,
        "difference": difference.as_json(),
        "test": test,
        "p": p,
        "p_holm": p,
        "rows_to_settle": None,
    }


def _difference(a: Contender, b: Contender, seed: int) -> Interval:
    if np.all(a.weights == 1.0):
        return paired_interval(a.scores, b.scores, seed)
    return paired_ratio_interval(
        a.scores * a.weights, a.weights, b.scores * b.weights, b.weights, seed
    )


def _tested(a: Contender, b: Contender, seed: int) -> tuple[str, float]:
    """Which test fits the scores, and its two-sided p: McNemar's for right and wrong, sign flips
    for few rows, else the bootstrap that the interval is of."""
    together = np.concatenate([a.scores, b.scores])
    if np.all(a.weights == 1.0) and np.all((together == 0.0) | (together == 1.0)):
        return "mcnemar", mcnemar(a.scores == 1.0, b.scores == 1.0)
    differences = _differences(a, b)
    if len(differences) < FEWEST_FOR_BOOTSTRAP:
        return "permutation", permutation(differences, np.zeros(len(differences)), seed)
    return "bootstrap", bootstrap_p(differences, seed)


def _differences(a: Contender, b: Contender) -> Floats:
    """Each row's part [rows] of the difference, whose mean it is."""
    found: Floats = (a.scores - b.scores) * a.weights / a.weights.mean()
    return found


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


def _running(one: Contender, seed: int) -> list[list[float]]:
    scores = one.scores * one.weights / one.weights.mean()
    return [list(point) for point in running_estimate(scores)]
