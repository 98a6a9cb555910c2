"""Rows of any supported format as examples: a prompt and its completion, or a conversation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nybble.data.sharegpt import COLUMN, sharegpt_messages
from nybble.data.template import parse_template
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError

Message = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A prompt and its answer. `number` is the row's place in its source, from 1."""

    number: int
    prompt: str
    completion: str
    columns: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Conversation:
    """Messages in order; the assistant's are what the model has to say."""

    number: int
    messages: tuple[Message, ...]
    columns: dict[str, Any] = field(repr=False)


Example = Pair | Conversation
Convert = Callable[[dict[str, Any], int], Example]
ReadMessages = Callable[[dict[str, Any], str], list[Message]]


def read_examples(rows: Sequence[dict[str, Any]], part: DataPart, source: str) -> list[Example]:
    """Every row as an example; rows are numbered from 1 in the order of `source`.

    Raises `InputError` with the row's number for a missing column or a broken message.
    """
    if not rows:
        raise InputError(f"{source} holds no rows.", "Name a source with at least one row.")
    convert = _converter(rows[0], part, source)
    return [convert(row, number) for number, row in enumerate(rows, 1)]


def _converter(first: dict[str, Any], part: DataPart, source: str) -> Convert:
    """How to read a row, by the declared format or by the columns of the first row."""
    asked = part.format
    if part.prompt or part.completion or asked == "prompt-completion":
        asked = "prompt-completion"
    elif asked == "auto" and "messages" in first:
        asked = "messages"
    elif asked == "auto" and COLUMN in first:
        asked = "sharegpt"
    elif asked == "auto" and {"prompt", "completion"} <= first.keys():
        asked = "prompt-completion"
    if asked in ("messages", "sharegpt"):
        read = _messages if asked == "messages" else sharegpt_messages
        return lambda row, number: _conversation(row, number, source, read)
    if asked == "prompt-completion":
        prompt = parse_template(part.prompt or "prompt", "data.prompt")
        completion = parse_template(part.completion or "completion", "data.completion")

        def pair(row: dict[str, Any], number: int) -> Example:
            where = f"{source}: row {number}"
            return Pair(number, prompt.fill(row, where), completion.fill(row, where), row)

        return pair
    raise InputError(
        f"{source}: no format fits its columns {', '.join(first)}.",
        "Say data.prompt and data.completion (columns, or templates such as 'Task: {text}').",
    )


def _conversation(
    row: dict[str, Any], number: int, source: str, read: ReadMessages
) -> Conversation:
    where = f"{source}: row {number}"
    messages = read(row, where)
    if not any(message["role"] == "assistant" for message in messages):
        raise InputError(f"{where}: the assistant says nothing in it.", "Remove or mend the row.")
    return Conversation(number, tuple(messages), row)


def _messages(row: dict[str, Any], where: str) -> list[Message]:
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InputError(f"{where} has no list of 'messages'.", "Mend the row.")
    for place, message in enumerate(messages, 1):
        good = isinstance(message, dict) and isinstance(message.get("role"), str)
        if not good or not isinstance(message.get("content"), str):
            raise InputError(
                f"{where}: message {place} is not a role and a content.",
                'Write {"role": "user", "content": "..."}.',
            )
    return messages
