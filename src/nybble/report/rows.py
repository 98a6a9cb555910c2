"""The test rows with every model's answer, as columns that are packed into the page.

Every row's text is there to be searched. What does not fit is shortened evenly: texts are cut at
the largest of `LIMITS` at which the packed columns stay below `MOST_PACKED`, and the page tells how
long they were.
"""

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nybble.report.text import short

MOST_ROWS = 20_000
MOST_PACKED = 6_000_000
LIMITS = (8_000, 4_000, 2_000, 1_000, 500, 250, 120, 60, 30)
MOST_COLUMNS, COLUMN_TEXT = 12, 80
_HALF = re.compile("[\ud800-\udfff]")


def columns(predictions: Mapping[str, Any], comparison: Mapping[str, Any]) -> dict[str, Any]:
    """What the page knows of each row, of at most `MOST_ROWS` evenly spaced ones.

    `row`, `text`, `truth` are [rows]; `answers`, `values`, `scores`, `details` are [models][rows],
    or None for a model without. `colours` are [models] texts of a letter a row, where guesses were
    judged by colour. `columns` are the rows' own.
    """
    n = len(predictions["row"])
    places = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int)).tolist()
    names = [model["name"] for model in comparison["models"]]

    def thin(values: Sequence[Any] | None) -> list[Any] | None:
        return None if values is None else [_shown(values[i]) for i in places]

    def by_model(key: str) -> list[list[Any] | None]:
        return [thin(predictions.get(key, {}).get(name)) for name in names]

    truth = [predictions["truth"][i] for i in places]
    values, details = by_model("values"), by_model("details")
    # Of a loss there is no answer, only the row's own score; a reference writes nothing that its
    # value does not say; a colour is drawn as one.
    task, nothing = comparison["task"], [None] * len(names)
    written = [
        None if model["kind"] == "reference" else said
        for model, said in zip(comparison["models"], by_model("answers"), strict=True)
    ]
    own = list(predictions.get("columns", {}).items())[:MOST_COLUMNS]
    return {
        "n": n,
        "row": [predictions["row"][i] for i in places],
        "text": thin(predictions["text"]),
        "truth": [truth_text(value) for value in truth],
        "models": names,
        "values": nothing
        if task == "loss"
        else [_read(task, *pair) for pair in zip(values, written, strict=True)],
        "answers": nothing if task == "loss" else written,
        "scores": by_model("scores"),
        "details": nothing if task == "number" else details,
        "stand_in": _shown(predictions.get("stand_in")),
        "colours": list(map(_colours, details, values)),
        "columns": {key: [_cell(column[i]) for i in places] for key, column in own},
    }


def truth_text(truth: Any) -> Any:
    """A number or a text as it is, of what tests a program the setup and tests, else as JSON."""
    if isinstance(truth, Mapping) and isinstance(truth.get("tests"), list):
        return "\n".join(filter(None, [str(truth.get("setup") or ""), *map(str, truth["tests"])]))
    return _shown(truth) if isinstance(truth, int | float | str | None) else _json(truth)


def _read(task: str, values: list[Any] | None, answers: list[Any] | None) -> list[Any] | None:
    """Numbers and labels that were read; of other answers, which the page has, only whether."""
    if task in ("number", "label") or values is None or answers is None:
        return values
    return [None if value is None else True for value in values]


def _shown(value: Any) -> Any:
    return short(value) if isinstance(value, float) else value


def _cell(value: Any) -> Any:
    text = isinstance(value, str | None) or not isinstance(value, int | float)
    return str("" if value is None else value)[:COLUMN_TEXT] if text else _shown(value)


def _colours(details: Sequence[Any] | None, values: Sequence[Any] | None) -> str | None:
    """A letter for each row as its guess was judged, g, o or r; a dash where nothing was read."""
    if not details or values is None or "colour" not in details[0]:
        return None
    pairs = zip(details, values, strict=True)
    return "".join("-" if value is None else detail["colour"][0] for detail, value in pairs)


def packed(rows: Mapping[str, Any]) -> str:
    """The columns as base64 of gzipped JSON, texts cut as far as it takes to fit."""
    for limit in LIMITS:
        text = _HALF.sub("\ufffd", _json(_cut(rows, limit)))
        data = b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
        if len(data) <= MOST_PACKED:
            break
    return data


def _cut(rows: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """`rows` with no text above `limit` characters; `cut` has the whole lengths of what was."""
    cut: dict[str, dict[int, int]] = {}

    def column(name: str, values: list[Any] | None) -> list[Any] | None:
        if values is None:
            return None
        lengths = {i: len(v) for i, v in enumerate(values) if isinstance(v, str) and len(v) > limit}
        if lengths:
            cut[name] = lengths
        return [v[:limit] if isinstance(v, str) else v for v in values]

    return {
        **rows,
        "limit": limit,
        "text": column("text", rows["text"]),
        "truth": column("truth", rows["truth"]),
        "answers": [column(f"answers {i}", said) for i, said in enumerate(rows["answers"])],
        "values": [
            None if said is None else [v[:limit] if isinstance(v, str) else v for v in said]
            for said in rows["values"]
        ],
        "details": [
            None if said is None else [_short_detail(detail, limit) for detail in said]
            for said in rows["details"]
        ],
        "cut": cut,
    }


def _short_detail(detail: Any, limit: int) -> Any:
    """Texts within a detail cut like the others: an assertion's message can be as long as any."""
    if isinstance(detail, Mapping):
        return {str(key): _short_detail(value, limit) for key, value in detail.items()}
    if isinstance(detail, list):
        return [_short_detail(value, limit) for value in detail[:50]]
    return detail[:limit] if isinstance(detail, str) else detail


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
