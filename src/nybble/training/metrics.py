"""`metrics.jsonl`: one JSON object a line, appended as the training goes."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from nybble.runs.atomic import read_json_lines, write_json_lines
from nybble.training.watchers import Watcher


class MetricsLog:
    """Appends to `path`, and tells `watchers` of each line."""

    def __init__(self, path: Path, watchers: Sequence[Watcher] = ()) -> None:
        self.path = path
        self.watchers = watchers

    def begin(self, step: int) -> None:
        """Drop lines beyond `step`: they are of a training that was resumed before them."""
        if self.path.exists():
            rows = [row for row in read_json_lines(self.path) if row["step"] <= step]
            write_json_lines(self.path, rows)

    def add(self, **values: float | int | str) -> None:
        """Append one line, flushed. Infinite and NaN values are written as null."""
        safe = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in values.items()
        }
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(safe) + "\n")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        for watcher in self.watchers:
            watcher.record(values)
