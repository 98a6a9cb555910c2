"""Comparisons as `nybble compare` and a run write them, made of made-up answers."""

import json
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from nybble.evaluation.metrics.numbers import Thresholds, colour

TUNED, BASELINE, RIDGE, FLOOR = "tuned model", "few-shot base", "ridge", "noise floor"
KINDS = {TUNED: "tuned", BASELINE: "base", RIDGE: "reference", FLOOR: "reference"}
METRICS = {"number": "mae", "label": "accuracy", "code": "pass@1", "text": "chrf", "loss": "loss"}
LABELS = ("spam", "ham", "unsure")
BOUNDS = Thresholds(green_within=40, green_share=0.2, orange_within=80, orange_share=0.4)
Files = tuple[dict[str, Any], dict[str, Any]]


def made_up(
    task: str = "number",
    rows: int = 60,
    names: tuple[str, ...] = (TUNED, BASELINE, RIDGE, FLOOR),
    text: str = "a lamp",
    answer: str | None = None,
    own: bool = True,
) -> Files:
    """`comparison.json` and `predictions.json` of models of which each is worse than the last.

    The second model's first answer cannot be read. `text` begins every prompt, `answer` replaces
    what the models write. `own` makes it a run's, whose first model is the tuned one.
    """
    rng = np.random.default_rng(0)
    truth, said = _TASKS[task](rng, rows, len(names))
    scores = {name: one["scores"] for name, one in zip(names, said, strict=True)}
    columns = {"category": [("toys", "garden", "books")[i % 3] for i in range(rows)]}
    predictions = {
        "row": [10 * i for i in range(rows)],
        "text": [f"{text} {i}" for i in range(rows)],
        "truth": truth,
        "values": {name: one["values"] for name, one in zip(names, said, strict=True)},
        "answers": {
            name: [answer or given for given in one["answers"]]
            for name, one in zip(names, said, strict=True)
        },
        "stand_in": {"number": 50.0, "label": "ham"}.get(task),
        "weights": [1.0] * rows,
        "scores": {name: values.tolist() for name, values in scores.items()},
        "details": {name: one["details"] for name, one in zip(names, said, strict=True)
                    if "details" in one},
        "columns": columns,
    }  # fmt: skip
    if len(names) > 1:
        predictions["values"][names[1]][0] = None
    comparison = _comparison(task, scores, columns["category"])
    if not own:
        comparison |= {"rows_of": "price-demo", "notes": ["Two runs split their rows apart."]}
    if own:
        comparison |= {"tuned_name": names[0], "baseline_name": names[1], "test_reads": 2}
        comparison["floor_name"] = FLOOR if FLOOR in names else None
    if task == "number":
        comparison["thresholds"] = asdict(BOUNDS)
    return comparison, predictions


def write_comparison(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(("comparison", "predictions"), files, strict=True):
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def _comparison(task: str, scores: dict[str, np.ndarray], by: list[str]) -> dict[str, Any]:
    metric, names = METRICS[task], list(scores)
    higher = task not in ("number", "loss")
    n = len(by)
    models = [
        {
            "name": name,
            "kind": KINDS.get(name, "adapter"),
            **_interval(scores[name]),
            "metrics": _metrics(task, metric, scores[name]),
            "parse_rate": 1.0 if i != 1 else 1 - 1 / n,
            "parsed_only": {"n": n, **_interval(scores[name])},
            "cost_dollars": 0.0123 if i == 1 else None,
        }
        for i, name in enumerate(names)
    ]
    pairs = []
    for a, b in combinations(names, 2):
        found = _interval(scores[a] - scores[b])
        outcome = "undecided"
        if not found["low"] <= 0 <= found["high"]:
            outcome = "better" if (found["low"] > 0) == higher else "worse"
        pairs.append({"a": a, "b": b, "difference": found, "test": "bootstrap", "p": 0.0004,
                      "p_holm": 0.012, "outcome": outcome,
                      "rows_to_settle": 900 if outcome == "undecided" else None})  # fmt: skip
    slices = []
    for value in dict.fromkeys(by):
        rows = np.array(by) == value
        found = {name: _interval(scores[name][rows]) for name in names}
        part = {"by": "category", "slice": value, "n": int(rows.sum()), "models": found}
        slices.append(part)
    counts = np.unique(np.linspace(2, n, min(n - 1, 100)).astype(int)).tolist()
    return {
        "task": task, "metric": metric, "higher_is_better": higher, "n": n, "seed": 0,
        "title": metric, "share": task in ("label", "code"),
        "models": models, "pairs": pairs, "slices": slices,
        "agreement": [{"a": a, "b": b, "share": 0.75} for a, b in combinations(names, 2)],
        "running": {name: [[k, *_interval(scores[name][:k]).values()] for k in counts]
                    for name in names},
        "verdict": f"On {n} held-out rows the {names[0]} did well (95% interval 1 to 2). It beats "
                   "the rest.",
    }  # fmt: skip


def _metrics(task: str, metric: str, scores: np.ndarray) -> dict[str, Any]:
    headline = {metric: float(scores.mean())}
    if task == "number":
        green = float((scores < 40).mean())
        red = float((scores >= 80).mean())
        shares = {"green": green, "orange": 1 - green - red, "red": red}
        return headline | {"mse": float((scores**2).mean()), "r2": 0.5} | shares
    return headline | ({"macro_f1": 0.4} if task == "label" else {})


def _interval(values: np.ndarray) -> dict[str, float]:
    mean, half = float(values.mean()), float(1.96 * values.std() / np.sqrt(len(values)))
    return {"value": mean, "low": mean - half, "high": mean + half}


def _numbers(rng: np.random.Generator, rows: int, models: int) -> tuple[list, list[dict]]:
    truth = np.round(np.exp(rng.normal(4, 1, rows)), 2)
    said = []
    for i in range(models):
        values = truth + rng.normal(0, 5 + 30 * i, rows)
        said.append({"values": values.tolist(), "answers": [f"{value:.1f}" for value in values],
                     "details": _colours(truth, values),
                     "scores": np.abs(values - truth)})  # fmt: skip
    return truth.tolist(), said


def _colours(truth: np.ndarray, values: np.ndarray) -> list[dict[str, str]]:
    pairs = zip(truth.tolist(), values.tolist(), strict=True)
    return [{"colour": colour(true, value, BOUNDS)} for true, value in pairs]


def _labels(rng: np.random.Generator, rows: int, models: int) -> tuple[list, list[dict]]:
    truth = rng.choice(LABELS, rows, p=(0.5, 0.3, 0.2))
    said = []
    for i in range(models):
        values = np.where(rng.random(rows) < 0.9 - 0.2 * i, truth, rng.choice(LABELS, rows))
        said.append({"values": values.tolist(), "answers": [f"It is {v}." for v in values],
                     "scores": (values == truth).astype(float)})  # fmt: skip
    return truth.tolist(), said


def _code(rng: np.random.Generator, rows: int, models: int) -> tuple[list, list[dict]]:
    tests = [f"assert double({i}) == {2 * i}" for i in range(3)]
    said = []
    for i in range(models):
        right = rng.random(rows) < 0.9 - 0.2 * i
        programs = [f"def double(n):\n    return n * {2 if ok else 3}" for ok in right]
        details = [
            {"samples": 1, "passed": int(ok),
             "reason": "It is right." if ok else "An assertion failed.",
             "assertions": [{"text": test, "passed": bool(ok or not at),
                             "message": "" if ok or not at else "6 == 4"}
                            for at, test in enumerate(tests)]}
            for ok in right
        ]  # fmt: skip
        said.append({"values": list(programs), "answers": list(programs), "details": details,
                     "scores": right.astype(float)})  # fmt: skip
    truth = {"tests": tests, "function": "double", "setup": "", "beginning": ""}
    return [truth] * rows, said


def _texts(rng: np.random.Generator, rows: int, models: int) -> tuple[list, list[dict]]:
    said = [
        {"values": [f"a text, {i}"] * rows, "answers": [f"a text, {i}"] * rows,
         "scores": rng.uniform(0, 1 / (i + 1), rows)}
        for i in range(models)
    ]  # fmt: skip
    return ["a text"] * rows, said


def _losses(rng: np.random.Generator, rows: int, models: int) -> tuple[list, list[dict]]:
    said = [
        {"values": [None] * rows, "answers": [None] * rows, "scores": rng.gamma(2 + i, 1, rows)}
        for i in range(models)
    ]
    return [None] * rows, said


_TASKS = {"number": _numbers, "label": _labels, "code": _code, "text": _texts, "loss": _losses}
