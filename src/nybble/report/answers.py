"""Every model's answers to the test rows: the scatter, and the rows that went best and worst."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nybble.evaluation.metrics.numbers import Thresholds, colour
from nybble.report.text import cut, short
from nybble.runs.atomic import read_json_lines
from nybble.runs.folder import RunFolder

Floats = npt.NDArray[np.float64]
# A text is at most six bytes a character when escaped: 4,000 x 240 of them stay below 6 MB.
MOST_POINTS = 4_000
POINT_TEXT = 240
EXTREMES = 6
ROW_TEXT, ANSWER_TEXT = 1_200, 300
ZERO_SHOT = "zero-shot base"


@dataclass(frozen=True)
class Answers:
    """The test rows [n] and each model's values [n]: the tuned model, the baseline, the others.

    `raw` holds what a model wrote, by the rows' numbers; references write nothing. `unread` tells
    where a model's text held no number, so that its value is a stand-in.
    """

    rows: list[int]
    texts: list[str]
    truth: Floats
    values: dict[str, Floats]
    raw: dict[str, dict[int, str]]
    unread: dict[str, set[int]]
    tuned: str
    roles: dict[str, str]

    def errors(self, name: str) -> Floats:
        """Absolute errors [n]."""
        error: Floats = np.abs(self.values[name] - self.truth)
        return error


def ordered(comparison: dict[str, Any]) -> list[str]:
    """Names of models as the page lists them."""
    return [comparison["tuned_name"], comparison["baseline_name"], *comparison["references"]]


def roles(comparison: dict[str, Any]) -> dict[str, str]:
    """Which of the models are the tuned one, the baseline and the perfect predictor."""
    keys = {"tuned_name": "tuned", "baseline_name": "baseline", "floor_name": "floor"}
    return {comparison[key]: role for key, role in keys.items() if comparison.get(key)}


def read_answers(
    folder: RunFolder, predictions: dict[str, Any], comparison: dict[str, Any]
) -> Answers:
    """`predictions.json` with the written answers of the models beside it."""
    files = {
        "zero_shot": ZERO_SHOT,
        "baseline": comparison["baseline_name"],
        "tuned": comparison["tuned_name"],
    }
    raw, unread = {}, {}
    for file, name in files.items():
        lines = read_json_lines(folder.evaluation / f"{file}.jsonl")
        if lines:
            raw[name] = {line["row"]: line["answer"] for line in lines}
            unread[name] = {line["row"] for line in lines if line["value"] is None}
    values = predictions["values"]
    return Answers(
        rows=predictions["row"],
        texts=predictions["text"],
        truth=np.array(predictions["truth"], np.float64),
        values={n: np.array(values[n], np.float64) for n in ordered(comparison) if n in values},
        raw=raw,
        unread=unread,
        tuned=comparison["tuned_name"],
        roles=roles(comparison),
    )


def scatter(answers: Answers, comparison: dict[str, Any]) -> dict[str, Any]:
    """Columns for the plot of truth against prediction, of at most `MOST_POINTS` rows."""
    n = len(answers.rows)
    places = np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).astype(int)).tolist()
    bounds = comparison.get("thresholds")
    paint = _painter(Thresholds(**bounds)) if bounds else None
    models = []
    for name, values in answers.values.items():
        unread = answers.unread.get(name, set())
        models.append(
            {
                "name": name,
                "role": answers.roles.get(name, "reference"),
                "values": [short(values[i]) for i in places],
                "colours": paint(values[places], answers.truth[places]) if paint else None,
                "unread": [at for at, i in enumerate(places) if answers.rows[i] in unread],
                "unread_of_all": len(unread & set(answers.rows)),
            }
        )
    return {
        "n": n,
        "rows": [answers.rows[i] for i in places],
        "texts": [cut(answers.texts[i], POINT_TEXT) for i in places],
        "truth": [short(answers.truth[i]) for i in places],
        "models": models,
        "thresholds": bounds,
    }


def _painter(thresholds: Thresholds) -> Callable[[Floats, Floats], str]:
    """Gives a letter for each point: g, o or r."""

    def paint(values: Floats, truth: Floats) -> str:
        pairs = zip(values, truth, strict=True)
        return "".join(colour(float(true), float(v), thresholds)[0] for v, true in pairs)

    return paint


def extremes(answers: Answers) -> dict[str, Any]:
    """The rows where the tuned model erred most and least, at most `EXTREMES` each."""
    order = np.argsort(answers.errors(answers.tuned), kind="stable").tolist()
    count = min(EXTREMES, len(order) // 2)
    best, worst = order[:count], order[::-1][:count]
    return {
        "models": list(answers.values),
        "roles": answers.roles,
        "worst": [_row(answers, place) for place in worst],
        "best": [_row(answers, place) for place in best],
    }


def _row(answers: Answers, place: int) -> dict[str, Any]:
    row = answers.rows[place]
    said = []
    for name, values in answers.values.items():
        text = answers.raw.get(name, {}).get(row)
        said.append(
            {
                "value": short(values[place]),
                "text": None if text is None else cut(text, ANSWER_TEXT),
                "unread": row in answers.unread.get(name, set()),
            }
        )
    return {
        "row": row,
        "text": cut(answers.texts[place], ROW_TEXT),
        "truth": short(answers.truth[place]),
        "answers": said,
    }
