"""`metrics.jsonl`: one JSON object a line, appended as the training goes."""

import json
import math
from pathlib import Path
from typing import Any

from nybble.runs.atomic import write_json_lines


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines written so far; a last line that a crash cut off is left out."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


class MetricsLog:
    """Appends to `path`; lines beyond `step` are of a training that was resumed before them."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        if path.exists():
            write_json_lines(path, [row for row in read_metrics(path) if row["step"] <= step])

    def add(self, **values: float | int | str) -> None:
        """Append one line, flushed. Infinite and NaN values are written as null."""
        safe = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in values.items()
        }
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(safe) + "\n")
