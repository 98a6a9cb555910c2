"""Conversations as the chat templates of today read them: messages of a role and a content."""

import difflib
from typing import Any, ClassVar

from nybble.data.examples import Conversation, Message
from nybble.data.formats.base import Row, filled
from nybble.data.formats.tools import tool_calls, tools_in
from nybble.runs.errors import InputError

# `ipython` is Llama 3's name for what a tool answers, `developer` OpenAI's for the system.
ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython")


class Messages:
    """Rows of `messages`, whose assistant may call tools; `tools` go to the chat template."""

    columns: ClassVar[tuple[str, ...]] = ("messages", "tools")

    def example(self, row: Row, number: int, where: str) -> Conversation:
        messages = row.get("messages")
        if not isinstance(messages, list) or not messages:
            raise InputError(
                f"{where} has no list of 'messages' (it has {filled(row)}).",
                "Mend the row: rows of one source share a format.",
            )
        read = (_message(m, f"{where}: message {place}") for place, m in enumerate(messages, 1))
        return Conversation(number, tuple(read), row, tools_in(row, where))


def _message(message: Any, where: str) -> Message:
    """The message without null fields: Arrow writes them, and templates ask what is there."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise _broken(where)
    fields = {name: value for name, value in message.items() if value is not None}
    _check_role(fields["role"], where)
    if "tool_calls" in fields and fields["tool_calls"] != []:
        if fields["role"] != "assistant":
            raise InputError(f"{where} calls a tool, but is not the assistant's.", "Mend the row.")
        fields["tool_calls"] = tool_calls(fields["tool_calls"], where)
        fields.setdefault("content", "")
    else:
        fields.pop("tool_calls", None)
    if not isinstance(fields.get("content"), str):
        raise _broken(where)
    return fields


def _check_role(role: str, where: str) -> None:
    if role in ROLES:
        return
    near = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}.get(role)
    close = difflib.get_close_matches(role.lower(), ROLES, 1, 0.6)
    guess = near or (close[0] if close else None)
    raise InputError(
        f"{where} has the role {role!r}, which nobody knows here.",
        f"Did you mean {guess}?" if guess else f"Known: {', '.join(ROLES)}.",
    )


def _broken(where: str) -> InputError:
    return InputError(
        f"{where} is not a role and a content.", 'Write {"role": "user", "content": "..."}.'
    )
