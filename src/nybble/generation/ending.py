"""Where an answer ends, and how much of an unfinished one can be shown already.

The stop token and everything after it is no part of the answer, nor is the first stop string, even
when it came in parts of several tokens. Shown as it is written, an answer gives the same text as at
once: what might yet become a stop string, or half a character, is held back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

OnText = Callable[[str], None]
UNFINISHED = "\ufffd"  # what a decoder gives for the bytes of half a character


@dataclass(frozen=True)
class Ending:
    """`stop_ids` and `stop` strings end an answer; `tokenizer` makes text of its ids."""

    tokenizer: Any
    stop_ids: frozenset[int]
    stop: tuple[str, ...] = ()

    def text(self, ids: Sequence[int]) -> str:
        """The answer that `ids` hold, without what ended it."""
        text = self._decoded(ids)
        return text[: min((at for s in self.stop if (at := text.find(s)) >= 0), default=None)]

    def settled(self, ids: Sequence[int]) -> str:
        """The beginning of the answer that no further id can change."""
        text = self.text(ids)
        if len(text) < len(self._decoded(ids)):
            return text
        text = text.rstrip(UNFINISHED)
        longest = max(map(len, self.stop), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-length:]) for stop in self.stop):
                return text[:-length]
        return text

    def stopped(self, ids: Sequence[int]) -> bool:
        """Whether the newest of `ids` completes a stop string.

        Every token has at least one byte, so only the last few have to be looked at; one more,
        since some decoders strip the space before the first.
        """
        most = max(len(stop.encode()) for stop in self.stop) + 1
        tail = self._decoded(ids[-most:])
        return any(stop in tail for stop in self.stop)

    def _decoded(self, ids: Sequence[int]) -> str:
        end = next((i for i, token in enumerate(ids) if token in self.stop_ids), len(ids))
        # Without the "clean-up" of some tokenizers, which turns "x , y" into "x, y": an answer is
        # what was said, and what was trained on.
        text: str = self.tokenizer.decode(
            ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


class StopStrings:
    """A stopping criterion of transformers: a row is done once its answer holds a stop string."""

    def __init__(self, ending: Ending, width: int) -> None:
        self.ending = ending
        self.width = width

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """Whether each row of `input_ids` [rows, width + step] is done, [rows]."""
        done = [self.ending.stopped(row) for row in input_ids[:, self.width :].tolist()]
        return torch.tensor(done, device=input_ids.device)


class Stream:
    """A streamer of transformers: hands on an answer's text, piece by piece, as it is settled."""

    def __init__(self, ending: Ending, on_text: OnText) -> None:
        self.ending = ending
        self.on_text = on_text
        self.ids: list[int] | None = None
        self.told = 0

    def put(self, value: Tensor) -> None:
        """Called with the prompt's ids first, then with each new id."""
        if self.ids is None:
            self.ids = []
            return
        self.ids += value.flatten().tolist()
        self._tell(self.ending.settled(self.ids))

    def end(self) -> None:
        """Called after the last id."""
        self._tell(self.ending.text(self.ids or []))

    def _tell(self, text: str) -> None:
        if len(text) > self.told:
            self.on_text(text[self.told :])
            self.told = len(text)
