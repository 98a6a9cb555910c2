"""What a format is, and how it reads one column of a row."""

from typing import Any, ClassVar, Protocol

from nybble.data.examples import Example
from nybble.runs.errors import InputError

Row = dict[str, Any]


class Format(Protocol):
    """Reads rows as examples. `columns` are the names that `data.columns` may map to others."""

    columns: ClassVar[tuple[str, ...]]

    def example(self, row: Row, number: int, where: str) -> Example:
        """The row as an example. Raises `InputError` naming `where` for a row that is none."""


def text_in(row: Row, column: str, where: str, optional: bool = False) -> str:
    """The text in `column`; an optional one that is missing or null is empty."""
    value = row.get(column)
    if value is None and optional:
        return ""
    if value is None:
        raise InputError(
            f"{where} has no {column!r} (it has {filled(row)}).",
            "Mend the row, or name another column in data.columns. Rows of one source share a "
            "format.",
        )
    if not isinstance(value, str):
        raise InputError(
            f"{where}: {column!r} is a {type(value).__name__}, not a text.", "Write it as a text."
        )
    return value


def filled(row: Row) -> str:
    """The columns of `row` that hold something."""
    return ", ".join(name for name, value in row.items() if value is not None) or "no columns"
