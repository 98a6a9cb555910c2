"""Rows of a source as examples, in the format that they have."""

from collections.abc import Sequence
from typing import Any

from nybble.data.examples import Conversation, Example
from nybble.data.formats import choose_format
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError
from nybble.sources.lazy import Lazy
from nybble.sources.lazy_rows import LazyRows

Row = dict[str, Any]


class Examples(Lazy[Example]):
    """The examples of `rows`, made anew whenever they are asked for: rows may exceed the memory.

    They are numbered from `first`. Errors name `source` where the rows cannot name themselves.
    """

    def __init__(self, rows: Sequence[Row], part: DataPart, source: str, first: int = 1) -> None:
        self.rows = rows
        self.source = source
        self.first = first
        self._columns = part.columns
        self._format = choose_format(renamed(rows[0], part.columns), part, source)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> Example:
        row, where = self.rows[index], self.where(index)
        named = renamed(row, self._columns) if self._columns else row
        example = self._format.example(named, self.first + index, where)
        if isinstance(example, Conversation):
            _check_answered(example, where)
        return example

    def where(self, index: int) -> str:
        """How errors name the row of the example at `index`."""
        if isinstance(self.rows, LazyRows):
            return self.rows.where(index)
        return f"{self.source}: row {index + 1}"


def read_examples(rows: Sequence[Row], part: DataPart, source: str, first: int = 1) -> Examples:
    """Every row as an example; rows are numbered from `first` in the order of `source`.

    Each row is read once here, so that all are known to be right; examples are made on access.
    Raises `InputError` with the row's number for a missing column or a broken message.
    """
    if not rows:
        raise InputError(f"{source} holds no rows.", "Name a source with at least one row.")
    examples = Examples(rows, part, source, first)
    for _ in examples:
        pass
    return examples


def renamed(row: Row, columns: dict[str, str]) -> Row:
    """`row`, with the columns that `data.columns` maps also under the names that formats know."""
    return row | {name: row[column] for name, column in columns.items() if column in row}


def _check_answered(chat: Conversation, where: str) -> None:
    if not any(message["role"] == "assistant" for message in chat.messages):
        raise InputError(f"{where}: the assistant says nothing in it.", "Remove or mend the row.")
