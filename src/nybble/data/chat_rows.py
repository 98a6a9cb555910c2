"""Conversations as token rows, many at once: their texts are tokenised in one batch.

Where the template keeps the prefix law, a conversation is one row; else it is one for each answer
(R1's template never keeps it; Qwen3's and QwQ's do not for earlier turns):

    [ prompt 1 | answer 1 | stop | ...... prompt 2 | answer 2 | stop ]
    [ prompt 1 | answer 1 | stop ]   [ prompt 2, rewritten | answer 2 | stop ]

The law is checked in ids, since a token may join the end of a prompt with the beginning of an
answer. Special tokens part a text for good, so ids before the last one in a prompt are the same
whatever follows; behind it the prompt's own ids must stand, tokenised for themselves.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from nybble.data.special_tokens import Ids, Spelling
from nybble.data.turns import Turn


@dataclass(frozen=True, slots=True)
class TokenRow:
    """`input_ids` [tokens], and for each whether the model is trained to say it.

    `number` is the source row's; `prompt_lengths` are the ends of the inference prompts in it.
    `spelled`: some turn's text spells a special token, which it did not become.
    """

    number: int
    input_ids: Ids
    scored: list[bool]
    prompt_lengths: tuple[int, ...]
    spelled: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A conversation that cannot be rendered, and why."""

    number: int
    reason: str


@dataclass(frozen=True)
class Talk:
    """The answers of one conversation that are to be learned, in order.

    `all_scored`: so is every other token, so the conversation is never parted.
    """

    number: int
    turns: Sequence[Turn]
    all_scored: bool = False

    def parted(self) -> list["Talk"]:
        """A conversation for each answer; the last alone where every token is scored."""
        turns = self.turns[-1:] if self.all_scored else self.turns
        return [Talk(self.number, [turn], self.all_scored) for turn in turns]


@dataclass(frozen=True)
class _Text:
    """The text of a conversation up to its last stop.

    `starts` and `ends` are those of the special tokens in it. For each turn, `cuts` holds how many
    of these come before its prompt's end, the text from the last of them to there, and how many
    come before the turn's own end.
    """

    text: str
    starts: list[int]
    ends: list[int]
    cuts: list[tuple[int, str, int]]


@dataclass(frozen=True)
class ChatEncoder:
    """Makes rows of conversations that spell special tokens as `spelling` does."""

    spelling: Spelling
    stop: str

    @property
    def stop_id(self) -> int:
        return self.spelling.ids[self.stop]

    def rows(self, talks: Sequence[Talk]) -> list[list[TokenRow]]:
        """The rows of each conversation: one, or one for each answer."""
        parts = [[talk] if self._keeps_law(talk) else talk.parted() for talk in talks]
        flat = list(chain.from_iterable(parts))
        whole = self._whole_rows(flat)
        mended = iter(self._mended([t for t, row in zip(flat, whole, strict=True) if row is None]))
        rows = iter([[row] if row else next(mended) for row in whole])
        return [list(chain.from_iterable(next(rows) for _ in part)) for part in parts]

    def _keeps_law(self, talk: Talk) -> bool:
        """Whether every prompt and its answer are the beginning of the conversation's text."""
        last = talk.turns[-1]
        text = last.prompt + last.answer
        return all(text.startswith(t.prompt + t.answer + self.stop) for t in talk.turns[:-1])

    def _whole_rows(self, talks: Sequence[Talk]) -> list[TokenRow | None]:
        """A row for each conversation; None where the ids do not keep the law."""
        texts = [self._text(talk) for talk in talks]
        tails = dict.fromkeys(tail for text in texts for _, tail, _ in text.cuts)
        ids = self.spelling.encode([*(text.text for text in texts), *tails])
        tail_ids = dict(zip(tails, ids[len(texts) :], strict=True))
        return [
            self._row(talk, text, row_ids, tail_ids)
            for talk, text, row_ids in zip(talks, texts, ids, strict=False)
        ]

    def _text(self, talk: Talk) -> _Text:
        last = talk.turns[-1]
        text = last.prompt + last.answer + self.stop
        spans = [found.span() for found in self.spelling.pattern.finditer(text)]
        starts, ends = [start for start, _ in spans], [end for _, end in spans]
        cuts = []
        for turn in talk.turns:
            asked = len(turn.prompt)
            count = bisect_right(ends, asked)
            tail = text[starts[count - 1] if count else 0 : asked]
            cuts.append((count, tail, bisect_right(ends, asked + len(turn.answer + self.stop))))
        return _Text(text, starts, ends, cuts)

    def _row(self, talk: Talk, text: _Text, ids: Ids, tail_ids: dict[str, Ids]) -> TokenRow | None:
        special = self.spelling.special_ids
        places = [place for place, i in enumerate(ids) if i in special]
        if len(places) != len(text.starts):
            return None
        scored = [talk.all_scored] * len(ids)
        lengths = []
        for count, tail, end_count in text.cuts:
            first = places[count - 1] if count else 0
            begin = first + len(tail_ids[tail])
            end = places[end_count - 1]
            if ids[first:begin] != tail_ids[tail] or ids[end] != self.stop_id or begin > end:
                return None
            scored[begin : end + 1] = [True] * (end + 1 - begin)
            lengths.append(begin)
        return TokenRow(talk.number, ids, scored, tuple(lengths))

    def _mended(self, talks: Sequence[Talk]) -> list[list[TokenRow]]:
        """Rows where a token would join a prompt and its answer: each is tokenised for itself."""
        parts = [talk.parted() for talk in talks]
        flat = list(chain.from_iterable(parts))
        whole = self._whole_rows(flat) if flat else []
        rows = iter([row or self._joined(t) for t, row in zip(flat, whole, strict=True)])
        return [[next(rows) for _ in part] for part in parts]

    def _joined(self, talk: Talk) -> TokenRow:
        (turn,) = talk.turns
        prompt, answer = self.spelling.encode([turn.prompt, turn.answer])
        scored = [talk.all_scored] * len(prompt) + [True] * (len(answer) + 1)
        return TokenRow(talk.number, [*prompt, *answer, self.stop_id], scored, (len(prompt),))
