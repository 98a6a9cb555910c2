"""Alpaca's rows: an instruction, sometimes an input to it, and the output.

The instruction, an empty line and the input are the user's turn, the output is the assistant's: the
chat template of the model decides how they look. LLaMA-Factory's `system` and `history` (earlier
pairs of instruction and output) are read too.
"""

from typing import ClassVar

from nybble.data.examples import Conversation, Message
from nybble.data.formats.base import Row, text_in
from nybble.runs.errors import InputError


class Alpaca:
    """Rows of `instruction`, `input` (may be missing or empty) and `output`."""

    columns: ClassVar[tuple[str, ...]] = ("instruction", "input", "output", "system", "history")

    def example(self, row: Row, number: int, where: str) -> Conversation:
        asked = [text_in(row, "instruction", where), text_in(row, "input", where, optional=True)]
        system = text_in(row, "system", where, optional=True)
        turns = [
            *_history(row, where),
            ("\n\n".join(filter(None, asked)), text_in(row, "output", where)),
        ]
        messages: list[Message] = [{"role": "system", "content": system}] if system else []
        for question, answer in turns:
            messages.append({"role": "user", "content": question})
            messages.append({"role": "assistant", "content": answer})
        return Conversation(number, tuple(messages), row)


def _history(row: Row, where: str) -> list[tuple[str, str]]:
    """Earlier pairs of instruction and output."""
    pairs = row.get("history") or []
    good = isinstance(pairs, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)
        for pair in pairs
    )
    if not good:
        raise InputError(
            f"{where}: 'history' is not a list of pairs of texts.",
            'Write [["instruction", "output"], ...], or remove it.',
        )
    return [(question, answer) for question, answer in pairs]
