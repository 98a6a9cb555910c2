"""Prompts cut short, as texts and before anything else sees them: training and inference agree.

    data.truncate           the first tokens of a column stay     Title: A long sum|mary ...
    data.max_prompt_length  the last tokens of a prompt stay      ... |text\\nPrice: $
                            of a conversation the last turns      system, | turn 3, turn 4

What is cut depends on the prompt alone, never on its answer, which inference does not know. Answers
are not cut, unless the column that `data.truncate` names is theirs. Cuts fall between tokens, at a
place where the tokens of the shorter text are those of the longer one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nybble.data.examples import Conversation, Example, Pair
from nybble.data.render import Renderer
from nybble.data.special_tokens import encode
from nybble.data.split import Splits
from nybble.recipe.row_parts import Truncation
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError
from nybble.sources.lazy import Lazy

BATCH_ROWS = 1_000


class Shortened(Lazy[Example]):
    """The examples of `base`, of which those in `cut` are shorter."""

    def __init__(self, base: Sequence[Example], cut: dict[int, Example]) -> None:
        self.base, self.cut = base, cut

    def __len__(self) -> int:
        return len(self.base)

    def read(self, index: int) -> Example:
        return self.cut[index] if index in self.cut else self.base[index]


def cut_splits(splits: Splits, part: DataPart, renderer: Renderer) -> Splits:
    """`splits` with every part cut as the recipe says, and how many rows were."""
    if part.truncate is None and part.max_prompt_length is None:
        return splits
    parts = {name: cut_examples(getattr(splits, name), part, renderer)
             for name in ("train", "validation", "test")}  # fmt: skip
    cut = {name: len(shortened.cut) for name, shortened in parts.items()}
    return replace(
        splits, train=parts["train"], validation=parts["validation"], test=parts["test"], cut=cut
    )


def cut_examples(examples: Sequence[Example], part: DataPart, renderer: Renderer) -> Shortened:
    """`examples`, cut as the recipe says. Raises `InputError` for a row without the column."""
    cut: dict[int, Example] = {}
    for start in range(0, len(examples), BATCH_ROWS):
        batch = dict(enumerate(examples[start : start + BATCH_ROWS], start))
        if part.truncate is not None:
            short = _cut_column(batch, part.truncate, renderer, part.train_name)
            cut |= short
            batch |= short
        if part.max_prompt_length is not None:
            cut |= _cut_prompts(batch, part.max_prompt_length, renderer)
    return Shortened(examples, cut)


def _cut_column(
    batch: dict[int, Example], asked: Truncation, renderer: Renderer, source: str
) -> dict[int, Example]:
    # What is asked raw, as it is, has no columns.
    batch = {place: example for place, example in batch.items() if example.columns}
    texts = [_column(example, asked.field, source) for example in batch.values()]
    split = encode(renderer.tokenizer, texts, False)
    cut: dict[int, Example] = {}
    for (place, example), text, ids in zip(batch.items(), texts, split, strict=True):
        if len(ids) > asked.max_tokens:
            shorter = beginning(text, ids, asked.max_tokens, renderer.tokenizer)
            cut[place] = _with_text(example, text, shorter, asked.field, source)
    return cut


def _column(example: Example, column: str, source: str) -> str:
    value = example.columns.get(column)
    if value is None:
        raise InputError(
            f"{source}: row {example.number} has no {column!r} (data.truncate.field).",
            f"It has {', '.join(example.columns)}.",
        )
    return str(value)


def _with_text(example: Example, text: str, shorter: str, field: str, source: str) -> Example:
    """`example` with `shorter` in place of `text`: in its prompt, else in its completion."""
    if isinstance(example, Pair):
        if text in example.prompt:
            return replace(example, prompt=example.prompt.replace(text, shorter, 1))
        if text in example.completion:
            return replace(example, completion=example.completion.replace(text, shorter, 1))
    raise InputError(
        f"{source}: row {example.number}: neither its prompt nor its completion shows {field!r} "
        "as it is (data.truncate.field).",
        "Name a column that data.prompt shows, or use data.max_prompt_length.",
    )


def _cut_prompts(batch: dict[int, Example], most: int, renderer: Renderer) -> dict[int, Example]:
    pairs = {p: pair for p, pair in batch.items() if isinstance(pair, Pair) and pair.columns}
    plain = encode(renderer.tokenizer, [pair.prompt for pair in pairs.values()], False)
    whole = renderer.prompt_ids([pair.prompt for pair in pairs.values()])
    cut: dict[int, Example] = {}
    for (place, pair), ids, with_bos in zip(pairs.items(), plain, whole, strict=True):
        if len(with_bos) > most:
            room = max(1, most - (len(with_bos) - len(ids)))
            cut[place] = replace(pair, prompt=end(pair.prompt, ids, room, renderer.tokenizer))
    for place, chat in batch.items():
        if isinstance(chat, Conversation):
            shorter = last_turns(chat, most, renderer)
            if shorter is not chat:
                cut[place] = shorter
    return cut


def beginning(text: str, ids: Sequence[int], most: int, tokenizer: Any) -> str:
    """The longest beginning of `text`, whose tokens are `ids`, of at most `most` tokens that are
    the same when it is tokenised alone; empty where there is none."""
    for count in range(min(most, len(ids)), 0, -1):
        shorter = tokenizer.decode(ids[:count])
        if text.startswith(shorter) and _ids(shorter, tokenizer) == list(ids[:count]):
            return str(shorter)
    return ""


def end(text: str, ids: Sequence[int], most: int, tokenizer: Any) -> str:
    """The longest end of `text` of at most `most` tokens, as in `beginning`."""
    for count in range(min(most, len(ids)), 0, -1):
        shorter = tokenizer.decode(ids[-count:])
        if text.endswith(shorter) and _ids(shorter, tokenizer) == list(ids[-count:]):
            return str(shorter)
    return ""


def _ids(text: str, tokenizer: Any) -> list[int]:
    return list(encode(tokenizer, [text], False)[0])


def last_turns(chat: Conversation, most: int, renderer: Renderer) -> Conversation:
    """`chat` without its oldest turns, so that the prompt of its last answer has at most `most`
    tokens: its system turn stays, and the first turn after it is a user's.

    Where the last question alone is longer, it is all that stays.
    """
    roles = [message["role"] for message in chat.messages]
    if "assistant" not in roles:
        return chat
    last = len(roles) - 1 - roles[::-1].index("assistant")
    head = chat.messages[: 1 if roles[0] == "system" else 0]
    questions = [i for i in range(len(head) + 1, last) if roles[i] == "user"]
    where = f"row {chat.number}"
    for first in [len(head), *questions]:
        asked = (*head, *chat.messages[first:last])
        if len(renderer.chat_prompt_ids(asked, where, chat.tools)) <= most:
            break
    return replace(chat, messages=(*head, *chat.messages[first:])) if first > len(head) else chat


def cut_line(cut: Mapping[str, int]) -> str:
    """`cut`, the `cut_rows` of an audit, in one line; empty where nothing was cut."""
    counts = ", ".join(f"{n:,} {part}" for part, n in cut.items() if n)
    return f"Cut as the recipe says: {counts} rows." if counts else ""
