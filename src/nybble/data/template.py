"""Texts made from the columns of a row, without executing anything.

A template is `str.format` with plain column names and format specs: `"Task: {text}"`,
`"{price:.0f}"`. Attributes, indexes and conversions (`{a.b}`, `{a[0]}`, `{a!r}`) are refused: they
would let a recipe from elsewhere look inside the program.
"""

import math
import string
from dataclasses import dataclass
from typing import Any

from nybble.runs.errors import InputError

NUMBER_FORMATS = tuple("deEfFgG%")


@dataclass(frozen=True)
class Template:
    """Literal texts and columns in turn: [(literal, column or None, format spec), ...]."""

    source: str
    pieces: tuple[tuple[str, str | None, str], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for _, column, _ in self.pieces if column is not None)

    def fill(self, row: dict[str, Any], where: str) -> str:
        """The text for one row. Raises `InputError` naming `where` and the column."""
        out = []
        for literal, column, spec in self.pieces:
            out.append(literal)
            if column is None:
                continue
            if row.get(column) is None:
                has = ", ".join(k for k, v in row.items() if v is not None) or "no columns"
                raise InputError(
                    f"{where} has no {column!r} (it has {has}).",
                    f"Mend the row, or name other columns: data.prompt and data.completion "
                    f"(now {self.source!r} here).",
                )
            if isinstance(row[column], list | dict):
                raise InputError(
                    f"{where}: {column!r} is a {type(row[column]).__name__}, not a text.",
                    "Conversations go in 'messages' or 'conversations'; else name texts.",
                )
            try:
                out.append(format(_cell(row[column], spec), spec))
            except (ValueError, TypeError, OverflowError) as error:
                asked = f"{{{column}:{spec}}}" if spec else f"{{{column}}}"
                raise InputError(
                    f"{where}: {column} = {repr(row[column])[:60]} does not fit {asked}: {error}.",
                    "Mend the row or the format in the recipe.",
                ) from None
        return "".join(out)


def _cell(value: Any, spec: str) -> Any:
    """`value`, or for a number's format the number that it spells: CSV files hold only texts.

    NaN and infinity are refused, and so is a truth value where a number is formatted: Python would
    write `nan`, and 1 for true.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a number")
    if isinstance(value, bool) and spec.endswith(NUMBER_FORMATS):
        raise ValueError("a truth value, not a number")
    if not isinstance(value, str) or not spec.endswith(NUMBER_FORMATS):
        return value
    number = int(value) if spec.endswith("d") else float(value)
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def parse_template(source: str, field: str) -> Template:
    """A template, or a bare column name; `field` is named in errors."""
    if "{" not in source and "}" not in source:
        return Template(source, (("", source, ""),))
    try:
        parsed = list(string.Formatter().parse(source))
    except ValueError as error:
        raise InputError(
            f"{field} = {source!r}: {error}.", "Write {column}, and {{ for {."
        ) from None
    pieces = []
    for literal, column, spec, conversion in parsed:
        plain = column is None or (column != "" and not set(column) & set(".[]{}"))
        if not plain or conversion or "{" in (spec or ""):
            raise InputError(
                f"{field} = {source!r}: {{{column}}} is not a plain column.",
                "Only {column} and {column:format} are allowed.",
            )
        pieces.append((literal, column, spec or ""))
    template = Template(source, tuple(pieces))
    if not template.columns:
        raise InputError(f"{field} = {source!r} names no column.", "Write {column} in it.")
    return template
