"""ShareGPT conversations, turns of `from` and `value`, as messages of `role` and `content`."""

import difflib
from typing import Any

from nybble.runs.errors import InputError

Message = dict[str, Any]

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


def sharegpt_messages(row: dict[str, Any], where: str) -> list[Message]:
    """The messages of a row with `conversations`; keys other than `from` and `value` are left out.

    Raises `InputError` naming `where` and the turn, from 1.
    """
    turns = row.get(COLUMN)
    if not isinstance(turns, list) or not turns:
        raise InputError(f"{where} has no list of {COLUMN!r}.", "Mend the row.")
    return [_message(turn, f"{where}: turn {place}") for place, turn in enumerate(turns, 1)]


def _message(turn: object, where: str) -> Message:
    good = isinstance(turn, dict) and isinstance(turn.get("from"), str)
    if not isinstance(turn, dict) or not good or not isinstance(turn.get("value"), str):
        fix = 'Write {"from": "human", "value": "..."}.'
        if isinstance(turn, dict) and "role" in turn:
            fix = "Turns of role and content belong in a column 'messages'."
        raise InputError(f"{where} is not a from and a value.", fix)
    speaker = turn["from"]
    if speaker not in ROLES:
        near = difflib.get_close_matches(speaker.lower(), ROLES, 1, 0.6)
        raise InputError(
            f"{where} is from {speaker!r}, whom nobody knows here.",
            f"Did you mean {near[0]}?" if near else f"Known: {', '.join(ROLES)}.",
        )
    return {"role": ROLES[speaker], "content": turn["value"]}
