"""ShareGPT conversations, turns of `from` and `value`, as messages of `role` and `content`."""

import difflib
from typing import ClassVar

from nybble.data.examples import Conversation, Message
from nybble.data.formats.base import Row, filled, text_in
from nybble.data.formats.tools import tools_in
from nybble.runs.errors import InputError

COLUMN = "conversations"

# A call of a tool is what the model has to say, as JSON; what the tool answers is an observation.
ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "observation": "tool",
}


class ShareGpt:
    """Rows of `conversations`; `system` goes before them, `tools` to the chat template."""

    columns: ClassVar[tuple[str, ...]] = (COLUMN, "system", "tools")

    def example(self, row: Row, number: int, where: str) -> Conversation:
        messages = sharegpt_messages(row, where)
        system = text_in(row, "system", where, optional=True)
        if system and messages[0]["role"] == "system":
            raise InputError(
                f"{where} has a column 'system' and a turn from system.", "Leave one of them out."
            )
        if system:
            messages = [{"role": "system", "content": system}, *messages]
        return Conversation(number, tuple(messages), row, tools_in(row, where))


def sharegpt_messages(row: Row, where: str) -> list[Message]:
    """The messages of a row with `conversations`; keys other than `from` and `value` are left out.

    Raises `InputError` naming `where` and the turn, from 1.
    """
    turns = row.get(COLUMN)
    if not isinstance(turns, list) or not turns:
        raise InputError(
            f"{where} has no list of {COLUMN!r} (it has {filled(row)}).",
            "Mend the row: rows of one source share a format.",
        )
    return [_message(turn, f"{where}: turn {place}") for place, turn in enumerate(turns, 1)]


def _message(turn: object, where: str) -> Message:
    good = isinstance(turn, dict) and isinstance(turn.get("from"), str)
    if not isinstance(turn, dict) or not good or not isinstance(turn.get("value"), str):
        fix = 'Write {"from": "human", "value": "..."}.'
        if isinstance(turn, dict) and "role" in turn:
            fix = (
                "Turns of role and content are 'messages': rename the column, or say "
                "data.format=messages data.columns={messages: conversations}."
            )
        raise InputError(f"{where} is not a from and a value.", fix)
    speaker = turn["from"]
    if speaker not in ROLES:
        near = difflib.get_close_matches(speaker.lower(), ROLES, 1, 0.6)
        raise InputError(
            f"{where} is from {speaker!r}, whom nobody knows here.",
            f"Did you mean {near[0]}?" if near else f"Known: {', '.join(ROLES)}.",
        )
    return {"role": ROLES[speaker], "content": turn["value"]}
