"""The texts of an example, as they are compared: no template, no tokens."""

import json
from typing import Any

from nybble.data.examples import Example, Pair


def question_and_answer(example: Example) -> tuple[str, str]:
    """What is asked and what is answered; of a conversation the last answer."""
    if isinstance(example, Pair):
        return example.prompt, example.completion
    roles = [message["role"] for message in example.messages]
    last = max((i for i, role in enumerate(roles) if role == "assistant"), default=len(roles))
    asked = "\n".join(map(_said, example.messages[:last]))
    return asked, "\n".join(map(_said, example.messages[last : last + 1]))


def _said(message: dict[str, Any]) -> str:
    """What a message says, with its calls of tools."""
    calls = message.get("tool_calls")
    said = str(message.get("content") or "")
    return f"{said}{json.dumps(calls, default=str, sort_keys=True)}" if calls else said
