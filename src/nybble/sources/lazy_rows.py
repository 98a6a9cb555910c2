"""Rows that stay on the disk until they are asked for: data may be larger than memory.

Only where each row lies is kept, 16 bytes a row. Rows are read at their offset, not through a
memory map: pages of a map count as the process's own memory for as long as they are cached.
"""

import os
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError
from nybble.sources.lazy import Lazy

Row = dict[str, Any]


class LazyRows(Lazy[Row]):
    """Rows of a source that is called `name`, read when they are asked for."""

    name: str

    def where(self, index: int) -> str:
        """How errors name the row at `index`: its file, and its number there from 1."""
        return f"{self.name}: row {index + 1}"


class SpanRows(LazyRows):
    """Rows of a text file: each is the bytes from `start` to `end`, as `decode` reads them."""

    def __init__(
        self, path: Path, spans: Iterable[tuple[int, int]], decode: Callable[[bytes], Row]
    ) -> None:
        self.name = str(path)
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._begun = self._state()
        self._spans = array("q", (offset for span in spans for offset in span))
        self._decode = decode

    def __len__(self) -> int:
        return len(self._spans) // 2

    def read(self, index: int) -> Row:
        start, end = self._spans[2 * index], self._spans[2 * index + 1]
        content = os.pread(self._file, end - start, start)
        if self._state() != self._begun:
            raise InputError(
                f"{self.where(index)}: the file was changed while its rows were in use.",
                "Start again when nothing writes to it.",
            )
        return self._decode(content)

    def _state(self) -> tuple[int, int]:
        found = os.fstat(self._file)
        return found.st_size, found.st_mtime_ns


class JoinedRows(LazyRows):
    """The rows of several sources one after another; errors name the source and the row in it."""

    def __init__(self, name: str, parts: Sequence[LazyRows]) -> None:
        self.name = name
        self._parts = parts
        self._ends = list(accumulate(map(len, parts)))

    def __len__(self) -> int:
        return self._ends[-1]

    def read(self, index: int) -> Row:
        part, place = self._place(index)
        return part.read(place)

    def where(self, index: int) -> str:
        part, place = self._place(index)
        return part.where(place)

    def _place(self, index: int) -> tuple[LazyRows, int]:
        """The part that holds the row at `index`, and the row's index in it."""
        at = bisect_right(self._ends, index)
        return self._parts[at], index - (self._ends[at - 1] if at else 0)
