"""`metrics.jsonl`: one JSON object a line, appended as the training goes."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from nybble.runs.atomic import read_json_lines, write_json_lines
from nybble.training.watchers import Watcher


class MetricsLog:
    """Appends to `path`; lines beyond `step` are of a training that was resumed before them."""

    def __init__(self, path: Path, step: int, watchers: Sequence[Watcher] = ()) -> None:
        self.path = path
        self.watchers = watchers
        if path.exists():
            write_json_lines(path, [row for row in read_json_lines(path) if row["step"] <= step])

    def add(self, **values: float | int | str) -> None:
        """Append one line, flushed. Infinite and NaN values are written as null."""
        safe = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in values.items()
        }
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(safe) + "\n")
        for watcher in self.watchers:
            watcher.record(values)
