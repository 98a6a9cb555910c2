"""What a person sees while something long goes on.

In a terminal a bar with rate and time left; elsewhere a plain line now and then.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 15.0


@dataclass
class Watch:
    """Progress of one piece of work, counted in `unit`s."""

    name: str
    total: int
    start: int
    bar: Progress | None
    task: TaskID | None
    began: float = field(default_factory=time.monotonic)
    spoke: float = field(default_factory=time.monotonic)

    def update(self, done: int, note: str = "") -> None:
        """`done` of the total are done; `note` is shown beside."""
        if self.bar is not None and self.task is not None:
            self.bar.update(self.task, completed=done, note=note)
            return
        now = time.monotonic()
        if now - self.spoke < SECONDS_BETWEEN_LINES and done < self.total:
            return
        self.spoke = now
        rate = (now - self.began) / max(1, done - self.start)
        left = rate * (self.total - done)
        print(f"{self.name} {done:,}/{self.total:,}  {note}  {left:.0f} s left", flush=True)


@contextmanager
def watch(name: str, total: int, start: int = 0) -> Iterator[Watch]:
    """Show the progress of `total` units of work, `start` of them done before."""
    if not sys.stdout.isatty():
        yield Watch(name, total, start, None, None)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console()) as bar:
        yield Watch(
            name, total, start, bar, bar.add_task(name, total=total, completed=start, note="")
        )
