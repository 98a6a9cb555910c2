"""Plain texts: every token is learnt, as in the training of a base model."""

from dataclasses import dataclass
from typing import ClassVar

from nybble.data.examples import Text
from nybble.data.formats.base import Row
from nybble.data.template import Template


@dataclass(frozen=True)
class TextFormat:
    """A column `text`, or what `data.completion` makes of other columns."""

    template: Template
    columns: ClassVar[tuple[str, ...]] = ("text",)

    def example(self, row: Row, number: int, where: str) -> Text:
        return Text(number, "", self.template.fill(row, where), row)
