"""Rows of JSON and CSV files, read strictly: what is broken is named by its line or row.

Python's own readers are lenient where a training run is not: they take NaN for a number, half of a
surrogate pair for a character, and a short row for one with missing cells.
"""

import csv
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from nybble.runs.errors import InputError

Row = dict[str, Any]

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ONE_A_LINE = "Write one JSON object a line; a single array of objects belongs in a .json file."


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file with their ends, from 1; a byte-order mark is left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(_BOM) if number == 1 else line
            try:
                yield number, content.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}: line {number}: not UTF-8 at byte {error.start + 1} of the line.",
                    "Save the file as UTF-8.",
                ) from None


def json_lines(path: Path) -> Iterator[Row]:
    """One object a line. Blank lines are passed over, but counted."""
    for number, line in numbered_lines(path):
        if line.strip(" \t\r\n"):
            where = f"line {number}"
            try:
                value = _DECODER.decode(line.rstrip())
            except json.JSONDecodeError as error:
                problem = f"{where}, column {error.colno}: not JSON: {_reason(error)}."
                raise InputError(f"{path}: {problem}", _ONE_A_LINE) from None
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}: {where}: {error}.", _ONE_A_LINE) from None
            yield _checked(value, line, path, where)


def json_rows(path: Path) -> Iterator[Row]:
    """A .json file: an array of objects, or one object a line."""
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(_BOM).lstrip()
    return _array(path) if start.startswith(b"[") else json_lines(path)


def csv_rows(path: Path) -> Iterator[Row]:
    """Rows under a header; every value stays a string, and a quoted cell may hold line breaks."""
    # Documents are longer than csv's default of 131,072 characters a cell.
    limit = csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.reader((line for _, line in numbered_lines(path)), strict=True)
        header: list[str] | None = None
        number = 0
        for cells in _cells(reader, path):
            if header is None:
                check_columns(cells, path)
                header = cells
                continue
            number += 1
            if len(cells) != len(header):
                raise InputError(
                    f"{path}: row {number} (ends on line {reader.line_num}) has {len(cells)} "
                    f"cells, the header has {len(header)}.",
                    "Mend the row; cells with a comma, quote or line break go between quotes.",
                )
            yield dict(zip(header, cells, strict=True))
    finally:
        csv.field_size_limit(limit)


def check_columns(names: list[str], path: Path) -> None:
    """Raise `InputError` when two columns of a table share a name: one would hide the other."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: two columns are called {twice[0]!r}.", "Rename one of them.")


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
        raise InputError(
            f"{path}: {where} (line {reader.line_num}): not CSV: {error}.",
            "Check its quotes: each opening one needs a closing one; one inside a cell is doubled.",
        ) from None


def _array(path: Path) -> Iterator[Row]:
    """The objects of a JSON array, decoded one by one so that an error can name its row."""
    text = "".join(line for _, line in numbered_lines(path))
    at = _skip(text, text.index("[") + 1)
    row, line, counted = 0, 1, 0
    while row or text[at : at + 1] != "]":
        row += 1
        begin = at
        line, counted = line + text.count("\n", counted, begin), begin
        where = f"row {row} (line {line})"
        try:
            value, at = _DECODER.raw_decode(text, begin)
        except json.JSONDecodeError as error:
            _not_json(path, error)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: {where}: {error}.", "Mend the row.") from None
        yield _checked(value, text[begin:at], path, where)
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            break
        at = _skip(text, at + 1)
    if text[at : at + 1] != "]":
        _not_json(path, json.JSONDecodeError("Expecting ',' or ']'", text, at))
    at = _skip(text, at + 1)
    if at < len(text):
        _not_json(path, json.JSONDecodeError("Extra data after the array", text, at))


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _not_json(path: Path, error: json.JSONDecodeError) -> NoReturn:
    raise InputError(
        f"{path}: line {error.lineno}, column {error.colno}: not JSON: {_reason(error)}.",
        "Mend the file: an array of objects, or one object a line.",
    ) from None


def _reason(error: json.JSONDecodeError) -> str:
    # Some of json's messages go on with a position: "Unterminated string starting at".
    return error.msg.removesuffix(" at")


def _checked(value: Any, text: str, path: Path, where: str) -> Row:
    """`value` as a row, when it is an object whose texts can be written again."""
    if not isinstance(value, dict):
        kind = {list: "an array", str: "a text", type(None): "null"}.get(type(value), "a value")
        raise InputError(f"{path}: {where}: {kind}, not an object.", _ONE_A_LINE)
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{path}: {where}: holds half of a surrogate pair (\\ud800 to \\udfff).",
                "Mend the text: a character above \\uffff needs both halves.",
            ) from None
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; write null or leave the row out")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits} is too large for a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_finite)
