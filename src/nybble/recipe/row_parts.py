"""Which rows, and how much of them: values of fields of the recipe's data."""

from typing import Self

from pydantic import Field, model_validator

from nybble.recipe.part import Part


class RowRange(Part):
    """The rows whose number in a column is from `first` to `last`, both included."""

    column: str = Field(min_length=1)
    first: float | None = None
    last: float | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.first is None and self.last is None:
            raise ValueError("first or last must be given")
        return self


class Truncation(Part):
    """A column that is cut to its first `max_tokens` wherever the row's prompt shows it, or, where
    that does not, its completion."""

    field: str = Field(min_length=1)
    max_tokens: int = Field(ge=1)
