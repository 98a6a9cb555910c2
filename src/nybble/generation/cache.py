"""Answers kept on the disk, so that an interrupted evaluation goes on and nothing is asked twice.

One JSON object a line, written at once and never changed:

    {"key": SHA-256 of model, prompt and settings, "value": what was answered}

A line that a crash cut off is passed over, and what comes next begins a line of its own.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nybble.generation.sampling import Sampling

# A prompt as ids, as text, or as the turns of a conversation.
Prompt = Sequence[int] | str | Sequence[Mapping[str, str]]


class PredictionCache:
    """The file at `path`, and what it holds by key. Of two lines with one key the later counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        content = path.read_bytes() if path.exists() else b""
        for line in content.splitlines():
            entry = _entry(line)
            if entry is not None:
                self.values[entry["key"]] = entry["value"]
        self.torn = bool(content) and not content.endswith(b"\n")

    def get(self, key: str) -> Any:
        """What was answered; None where it was not asked yet."""
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep what was answered: any JSON value but None."""
        line = json.dumps({"key": key, "value": value}, allow_nan=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: the line is with the system at once, and there whole if the process dies.
        with open(self.path, "ab", buffering=0) as file:
            file.write(("\n" * self.torn + line + "\n").encode())
        self.torn = False
        self.values[key] = value


@dataclass(frozen=True)
class ModelCache:
    """The answers of one model, told from others by its `identity`."""

    cache: PredictionCache
    identity: str

    def get(self, prompt: Prompt, settings: Mapping[str, Any]) -> Any:
        return self.cache.get(prediction_key(self.identity, prompt, settings))

    def put(self, prompt: Prompt, settings: Mapping[str, Any], value: Any) -> None:
        self.cache.put(prediction_key(self.identity, prompt, settings), value)


def prediction_key(identity: str, prompt: Prompt, settings: Mapping[str, Any]) -> str:
    """A key that two questions share only where model, prompt and all settings are the same."""
    said = json.dumps([identity, _plain(prompt), dict(settings)], sort_keys=True, allow_nan=False)
    return hashlib.sha256(said.encode()).hexdigest()


def sampling_settings(sampling: Sampling, place: int, answer: int) -> dict[str, Any]:
    """What of `sampling` an answer depends on: where nothing is drawn, neither seed nor place."""
    settings = asdict(sampling)
    if sampling.samples:
        return settings | {"place": place, "answer": answer}
    del settings["seed"]
    return settings


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    known = isinstance(entry, dict) and isinstance(entry.get("key"), str) and "value" in entry
    return entry if known else None


def _plain(prompt: Prompt) -> Any:
    if isinstance(prompt, str):
        return prompt
    return [dict(part) if isinstance(part, Mapping) else int(part) for part in prompt]
