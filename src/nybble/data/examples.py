"""What rows of any format become: a prompt and its completion, a text, or a conversation."""

from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """A prompt and its answer. `number` is the row's place in its source, from 1."""

    number: int
    prompt: str
    completion: str
    columns: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Text(Pair):
    """A text that is learnt from its first token to its last: its prompt is empty."""


@dataclass(frozen=True)
class Conversation:
    """Messages in order; the assistant's are what the model has to say.

    `tools` are JSON schemas of the functions that it may call, for the chat template.
    """

    number: int
    messages: tuple[Message, ...]
    columns: dict[str, Any] = field(repr=False)
    tools: tuple[dict[str, Any], ...] = ()


Example = Pair | Conversation
