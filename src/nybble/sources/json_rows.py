"""Rows of JSON files, read strictly: what is broken is named by its line or row.

Python's own reader is lenient where a training run is not: it takes NaN for a number and half of a
surrogate pair for a character.

A file is read through once, to check every row and to note where it lies; then `SpanRows` read them
one by one.
"""

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from nybble.runs.errors import InputError
from nybble.sources.lazy_rows import Row, SpanRows
from nybble.sources.lines import BOM, lines

Span = tuple[int, int]

_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ONE_A_LINE = "Write one JSON object a line; a single array of objects belongs in a .json file."


def json_lines(path: Path, limit: int | None = None) -> SpanRows:
    """One object a line. Blank lines are passed over, but counted."""
    return SpanRows(path, islice(_line_spans(path), limit), _object)


def json_rows(path: Path, limit: int | None = None) -> SpanRows:
    """A .json file: an array of objects, or one object a line."""
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(BOM).lstrip()
    if not start.startswith(b"["):
        return json_lines(path, limit)
    return SpanRows(path, islice(_array_spans(path), limit), _object)


def _line_spans(path: Path) -> Iterator[Span]:
    for line in lines(path):
        if line.text.strip(" \t\r\n"):
            where = f"line {line.number}"
            try:
                value = _DECODER.decode(line.text.rstrip())
            except json.JSONDecodeError as error:
                problem = f"{where}, column {error.colno}: not JSON: {_reason(error)}."
                raise InputError(f"{path}: {problem}", _ONE_A_LINE) from None
            except (ValueError, RecursionError) as error:
                raise InputError(f"{path}: {where}: {error}.", _ONE_A_LINE) from None
            _check(value, line.text, path, where)
            yield line.start, line.end


def _object(content: bytes) -> Row:
    """The object that a checked span of JSON holds."""
    row: Row = _DECODER.decode(content.decode().rstrip())
    return row


def _array_spans(path: Path) -> Iterator[Span]:
    """Where the objects of a JSON array lie, decoded one by one so that an error can name its row.

    The text of the whole file is in memory until the last one was found.
    """
    found = list(lines(path))
    offset, text = found[0].start, "".join(line.text for line in found)
    del found
    at = _skip(text, text.index("[") + 1)
    row, line, counted = 0, 1, 0
    while row or text[at : at + 1] != "]":
        row += 1
        begin = at
        line += text.count("\n", counted, begin)
        offset, counted = offset + _size(text, counted, begin), begin
        where = f"row {row} (line {line})"
        try:
            value, at = _DECODER.raw_decode(text, begin)
        except json.JSONDecodeError as error:
            _not_json(path, error)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: {where}: {error}.", "Mend the row.") from None
        _check(value, text[begin:at], path, where)
        yield offset, offset + _size(text, begin, at)
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            break
        at = _skip(text, at + 1)
    if text[at : at + 1] != "]":
        _not_json(path, json.JSONDecodeError("Expecting ',' or ']'", text, at))
    at = _skip(text, at + 1)
    if at < len(text):
        _not_json(path, json.JSONDecodeError("Extra data after the array", text, at))


def _size(text: str, start: int, stop: int) -> int:
    """The bytes that a part of `text` takes in the file."""
    return len(text[start:stop].encode())


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


def _check(value: Any, text: str, path: Path, where: str) -> None:
    """Raise `InputError` unless `value` is an object whose texts can be written again."""
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


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; write null or leave the row out")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits} is too large for a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_constant, parse_float=_finite)
