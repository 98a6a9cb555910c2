"""Texts and rows as what the model is asked, in the form that it was trained on.

A text or a row becomes an example, and an example a prompt by the training's renderer:
    conversations         a text is a user's turn, after the system message where one is given
    prompt + completion   a text is the column of the recipe's prompt template; where the template
                          has several, a text is a row, as a JSON object
    raw                   a text is sent as it is
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nybble.data.examples import Conversation, Example, Message, Pair
from nybble.data.reading import read_examples, renamed
from nybble.data.template import parse_template
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError
from nybble.sources import read_rows

Row = dict[str, Any]

# The columns of conversations, what a turn calls its speaker and its text, and the model's names.
_TURNS = {"messages": ("role", "content"), "conversations": ("from", "value")}
_ASSISTANT = ("assistant", "gpt", "function_call")
_NO_ANSWER: Message = {"role": "assistant", "content": ""}


@dataclass(frozen=True)
class Given:
    """What is to be asked: texts, or rows of columns, from `source`."""

    source: str
    texts: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    single: bool = False


@dataclass(frozen=True)
class Asking:
    """How texts and rows are asked of one model. `part` says how its rows were read."""

    part: DataPart
    conversations: bool
    system: str | None = None
    raw: bool = False

    def __post_init__(self) -> None:
        if self.system is not None and (self.raw or not self.conversations):
            why = "--raw sends a text as it is" if self.raw else "this model takes plain prompts"
            raise InputError(f"--system: {why}, without a system message.", "Leave it out.")

    def examples(self, given: Given) -> list[Example]:
        """What is given as examples without answers, numbered from 1."""
        if given.rows:
            return self._rows(given.rows, given.source)
        named = given.source if given.single else f"{given.source}: line {{}}"
        return [
            self.text(text, number, named.format(number))
            for number, text in enumerate(given.texts, 1)
        ]

    def text(self, text: str, number: int = 1, where: str = "The prompt") -> Example:
        """One text as an example; `where` is named when it cannot be one."""
        if self.raw:
            return Pair(number, text, "", {})
        if self.conversations:
            return self.turns([{"role": "user", "content": text}], number)
        template = parse_template(self.part.prompt or "prompt", "data.prompt")
        columns = list(dict.fromkeys(template.columns))
        row = {columns[0]: text} if len(columns) == 1 else _json_row(text, columns, where)
        return Pair(number, template.fill(row, where), "", row)

    def turns(self, turns: Sequence[Message], number: int = 1) -> Conversation:
        """A conversation up to where the model is to speak, after the system message."""
        before: list[Message] = []
        if self.system is not None and turns[0]["role"] != "system":
            before = [{"role": "system", "content": self.system}]
        return Conversation(number, (*before, *turns, _NO_ANSWER), {})

    def _rows(self, rows: Sequence[Row], source: str) -> list[Example]:
        if self.raw or not self.conversations:
            # An answer is not needed, so the prompt's columns stand in for it.
            prompt = (None if self.raw else self.part.prompt) or "prompt"
            return list(read_examples(rows, self._part("prompt-completion", prompt), source))
        part = self._part("auto", None).model_copy(update={"columns": {}})
        asked = [_unanswered(renamed(row, self.part.columns)) for row in rows]
        examples = read_examples(asked, part, source)
        return [self._with_system(example) for example in examples]

    def _part(self, format_: str, template: str | None) -> DataPart:
        changes = {"format": format_, "prompt": template, "completion": template}
        return self.part.model_copy(update=changes)

    def _with_system(self, example: Example) -> Example:
        if self.system is None or not isinstance(example, Conversation):
            return example
        last = max(i for i, m in enumerate(example.messages) if m["role"] == "assistant")
        return self.turns(example.messages[:last], example.number)


def read_given(prompt: str | None, file: Path | None) -> Given:
    """A prompt, the rows or lines of a file, or else the whole standard input.

    Rows are those of .jsonl, .json, .csv and .parquet files; of a .txt file every line that is not
    blank is a text. Raises `InputError` when there is none of the three, or two.
    """
    if prompt is not None and file is not None:
        raise InputError("A prompt and --file were given.", "Leave one of the two out.")
    if prompt is not None:
        return Given("The prompt", (prompt,), single=True)
    if file is None:
        if sys.stdin.isatty():
            raise InputError(
                "There is no prompt.", "Write it after the model, pipe it in, or say --file FILE."
            )
        text = _utf8(sys.stdin.buffer.read(), "standard input")
        return Given("Standard input", (text.removesuffix("\n"),), single=True)
    if file.suffix.lower() != ".txt":
        return Given(str(file), rows=tuple(read_rows(file)))
    if not file.is_file():
        raise InputError(f"There is no file {file}.", "Check the path.")
    texts = tuple(line for line in _utf8(file.read_bytes(), file).splitlines() if line.strip())
    if not texts:
        raise InputError(f"{file} holds no lines.", "Write one prompt a line.")
    return Given(str(file), texts)


def _utf8(content: bytes, where: object) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: not UTF-8 at byte {error.start + 1}.", "Save it as UTF-8."
        ) from None


def _json_row(text: str, columns: Sequence[str], where: str) -> Row:
    """`text` as a row: a JSON object with the columns that the prompt is made of."""
    try:
        row = json.loads(text)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        example = ", ".join(f'"{column}": ...' for column in columns)
        raise InputError(
            f"{where} is one text, but prompts of this model are made of {', '.join(columns)}.",
            f"Write {{{example}}}, give rows with --file, or send the text as it is with --raw.",
        )
    return row


def _unanswered(row: Row) -> Row:
    """A row of a conversation as one that ends with an empty answer, unless it has one there."""
    for column, (speaker, text) in _TURNS.items():
        turns = row.get(column)
        if isinstance(turns, list) and turns:
            last = turns[-1]
            answered = isinstance(last, dict) and last.get(speaker) in _ASSISTANT
            return row if answered else {**row, column: [*turns, {speaker: "assistant", text: ""}]}
    if isinstance(row.get("instruction"), str):
        return {"output": "", **row}
    if isinstance(row.get("prompt"), str):
        return {"messages": [{"role": "user", "content": row["prompt"]}, _NO_ANSWER]}
    return row
