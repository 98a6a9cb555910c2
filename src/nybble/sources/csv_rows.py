"""Rows of CSV files, read strictly: what is broken is named by its row.

Python's own reader takes a short row for one with missing cells. The file is read through once, to
check every row and to note where it lies; then `SpanRows` read them one by one.
"""

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError
from nybble.sources.lazy_rows import Row, SpanRows
from nybble.sources.lines import lines

Span = tuple[int, int]


def csv_rows(path: Path, limit: int | None = None) -> SpanRows:
    """Rows under a header; every value stays a string, and a quoted cell may hold line breaks."""
    spans = _csv_spans(path)

    def row(content: bytes) -> Row:
        parts = (part.decode() for part in io.BytesIO(content))
        with _long_cells():
            return dict(zip(header, next(filter(None, csv.reader(parts))), strict=True))

    with _long_cells():
        header, _ = next(spans, ([], (0, 0)))
        return SpanRows(path, (span for _, span in islice(spans, limit)), row)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Documents are longer than csv's default of 131,072 characters a cell."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _csv_spans(path: Path) -> Iterator[tuple[list[str], Span]]:
    """The header, then every row, with the bytes that they take."""
    ends = [0]  # of the lines that the reader has taken, the last one

    def taken() -> Iterator[str]:
        for line in lines(path):
            ends[0] = line.end
            yield line.text

    reader = csv.reader(taken(), strict=True)
    header: list[str] = []
    start = number = 0
    for cells in _cells(reader, path):
        if not header:
            check_columns(cells, path)
            _check_separated(cells, path)
            header = cells
        else:
            number += 1
            if len(cells) != len(header):
                raise InputError(
                    f"{path}: row {number} (ends on line {reader.line_num}) has {len(cells)} "
                    f"cells, the header has {len(header)}.",
                    "Mend the row; cells with a comma, quote or line break go between quotes.",
                )
        yield cells, (start, ends[0])
        start = ends[0]


def check_columns(names: list[str], path: Path) -> None:
    """Raise `InputError` when two columns of a table share a name: one would hide the other."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: two columns are called {twice[0]!r}.", "Rename one of them.")


def _check_separated(header: list[str], path: Path) -> None:
    """Spreadsheets of many languages put semicolons where others put commas."""
    found = next((mark for mark in ";\t" if mark in header[0]), None)
    if found and len(header) == 1:
        raise InputError(
            f"{path}: its header is a single cell, {header[0]!r}: cells seem to be separated by "
            f"{'tabs' if found != ';' else 'semicolons'}.",
            "Save it with commas between the cells.",
        )


def _cells(reader: Any, path: Path) -> Iterator[list[str]]:
    """The lists of cells that `reader` finds, blank lines left out."""
    found = -1
    try:
        for cells in reader:
            if cells:
                found += 1
                yield cells
    except csv.Error as error:
        where = f"row {found + 1}" if found >= 0 else "header"
        if "new-line character seen" in str(error):
            raise InputError(
                f"{path}: {where} (line {reader.line_num}): a CR outside quotes; are all line "
                "ends CR?",
                "Save the file with LF or CRLF line ends.",
            ) from None
        raise InputError(
            f"{path}: {where} (line {reader.line_num}): not CSV: {error}.",
            "Check its quotes: each opening one needs a closing one; one inside a cell is doubled.",
        ) from None
