"""One column of every row, as texts or as numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nybble.data.examples import Conversation, Example
from nybble.runs.errors import InputError

FIRST_TURN = "first_turn"


def values_in(examples: Sequence[Example], column: str, field: str, source: str) -> list[str]:
    """The values of `column` [rows] as texts: a CSV's 7 is a Parquet file's 7.

    Conversations also have a `first_turn`, which threads of one tree share.
    Raises `InputError` for the first row without one; `field` of the recipe named the column.
    """
    return [_value(example, column, field, source) for example in examples]


def numbers_in(examples: Sequence[Example], column: str, source: str) -> NDArray[np.float64]:
    """The numbers of `column` [rows]. Raises `InputError` for the first row without one."""
    numbers = np.empty(len(examples))
    for i, example in enumerate(examples):
        text = _value(example, column, "the range's column", source)
        try:
            numbers[i] = float(text)
        except ValueError:
            raise InputError(
                f"{source}: row {example.number}: {column} = {text[:60]!r} is not a number.",
                "Mend the row, or name a column of numbers.",
            ) from None
    return numbers


def _value(example: Example, column: str, field: str, source: str) -> str:
    value = example.columns.get(column)
    if value is None and column == FIRST_TURN and isinstance(example, Conversation):
        return next((str(m["content"]) for m in example.messages if m["role"] != "system"), "")
    if value is None:
        has = ", ".join(name for name, v in example.columns.items() if v is not None)
        raise InputError(
            f"{source}: row {example.number} has no {column!r} ({field}); it has {has}.",
            "Mend the row, or name another column.",
        )
    return str(value)
