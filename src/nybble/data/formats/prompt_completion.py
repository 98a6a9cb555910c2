"""A prompt and its completion, each a column or a template of columns."""

from dataclasses import dataclass
from typing import ClassVar

from nybble.data.examples import Pair
from nybble.data.formats.base import Row
from nybble.data.template import Template


@dataclass(frozen=True)
class PromptCompletion:
    """What `data.prompt` and `data.completion` make of a row."""

    prompt: Template
    completion: Template
    columns: ClassVar[tuple[str, ...]] = ("prompt", "completion")

    def example(self, row: Row, number: int, where: str) -> Pair:
        return Pair(number, self.prompt.fill(row, where), self.completion.fill(row, where), row)
