"""Who watches a training: trackers, a live view, a push of every save."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Watcher(Protocol):
    """Is told what happens, and changes nothing of it."""

    def begin(self, total_steps: int, first_step: int) -> None:
        """A training of `total_steps` begins, `first_step` of them done before."""

    def record(self, values: Mapping[str, float | int | str]) -> None:
        """One line of `metrics.jsonl`, as it is written."""

    def saved(self, step: int, checkpoint: Path) -> None:
        """The checkpoint of `step` is whole on the disk."""

    def end(self) -> None:
        """The training is over, finished or failed."""


@contextmanager
def watched_by(watchers: Sequence[Watcher], total_steps: int, first_step: int) -> Iterator[None]:
    """Tell `watchers` that a training begins, and, however it goes, that it is over."""
    begun: list[Watcher] = []
    try:
        for watcher in watchers:
            begun.append(watcher)
            watcher.begin(total_steps, first_step)
        yield
    finally:
        for watcher in reversed(begun):
            watcher.end()
