"""Special tokens: those that the template writes, and those that a turn only spells.

A turn whose text holds `<|im_end|>` would end itself if the rendered text were simply tokenised.
So special tokens in what people wrote are marked before the template sees them, and afterwards the
template's own are spelled otherwise, in characters that nobody writes:

    written     Say <|im_end|> to stop.
    marked      Say ⟦<|im_end|>⟧ to stop.
    rendered    <|im_start|>user⏎Say ⟦<|im_end|>⟧ to stop.<|im_end|>
    respelled   ①user⏎Say <|im_end|> to stop.②

A copy of the tokenizer that knows its special tokens by these names encodes that in one go, so that
merges, prefix spaces and stripping are the tokenizer's own.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Ids = list[int]

OPEN, CLOSE = "\U0010fff0", "\U0010fff1"
NAME = "\U0010fff2{}\U0010fff3"
RESERVED = re.compile("[\U0010fff0-\U0010fff3]")


@dataclass(frozen=True)
class Spelling:
    """How special tokens stand in texts, and the tokenizer that reads them so.

    `ids` gives the id of each spelling; `pattern` finds them. Encodes without adding anything.
    """

    ids: dict[str, int]
    tokenizer: Any

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return _any_of(self.ids)

    @cached_property
    def special_ids(self) -> frozenset[int]:
        return frozenset(self.ids.values())

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Ids of each text, the same as the tokenizer's own call gives."""
        return encode(self.tokenizer, texts, add_special_tokens=False)


@dataclass(frozen=True)
class Respelled(Spelling):
    """The spelling in characters that nobody writes; `original` maps the copy's ids back."""

    original: dict[int, int]

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Ids as the tokenizer gives them; -1 where plain text made a special token."""
        plain = dict.fromkeys(self.ids.values(), -1) | self.original
        return [[plain.get(i, i) for i in ids] for ids in super().encode(texts)]


class SpecialTokens:
    """The tokens of `tokenizer` that only a template may write: those it calls special, and those
    of the rendered `exchange` (R1's `<｜User｜>` is not called special)."""

    def __init__(self, tokenizer: Any, exchange: str = "") -> None:
        added = tokenizer.added_tokens_decoder
        ids = {t.content: i for i, t in added.items() if t.special or t.content in exchange}
        self.stock = Spelling({**ids, tokenizer.eos_token: tokenizer.eos_token_id}, tokenizer)
        self._marking = re.compile(
            f"{OPEN}({self.stock.pattern.pattern}){CLOSE}|[{OPEN}{CLOSE}]|"
            f"({self.stock.pattern.pattern})"
        )

    @cached_property
    def respelled(self) -> Respelled | None:
        """The other spelling; None where the tokenizer cannot be copied."""
        return _respelled(self.stock)

    def spelled(self, value: Any) -> bool:
        """Whether a text anywhere in `value` (of JSON's types) spells a special token."""
        if isinstance(value, str):
            return self.stock.pattern.search(value) is not None
        if isinstance(value, dict):
            return any(self.spelled(v) or self.spelled(k) for k, v in value.items())
        return isinstance(value, list | tuple) and any(map(self.spelled, value))

    def reserved(self, value: Any) -> bool:
        """Whether a text anywhere in `value` holds a character that marks or renames."""
        return RESERVED.search(json.dumps(value, ensure_ascii=False, default=str)) is not None

    def mark(self, value: Any) -> Any:
        """`value` with every spelled special token between marks."""
        return _mapped(
            lambda text: self.stock.pattern.sub(lambda found: f"{OPEN}{found[0]}{CLOSE}", text),
            value,
        )

    def unmark(self, value: Any) -> Any:
        """`value`, or a rendered text, without marks."""
        return _mapped(lambda text: text.replace(OPEN, "").replace(CLOSE, ""), value)

    def renamed(self, token: str) -> str:
        """What the special `token` is called in the other spelling."""
        return NAME.format(token)

    def respell(self, text: str) -> str:
        """A rendered `text` with its marks taken off and the template's tokens renamed."""
        return self._marking.sub(
            lambda found: NAME.format(found[2]) if found[2] else found[1] or "", text
        )


def encode(tokenizer: Any, texts: Sequence[str], add_special_tokens: bool) -> list[Ids]:
    """Ids of `texts`. Where the tokenizer has a backend in Rust, it is called directly: several
    threads may do so, and nothing but ids is made."""
    if not texts:  # transformers' tokenizers fail on an empty batch
        return []
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if hasattr(backend, "encode_batch_fast"):
        encoded = backend.encode_batch_fast(list(texts), add_special_tokens=add_special_tokens)
        return [e.ids for e in encoded]
    ids: list[Ids] = tokenizer(list(texts), add_special_tokens=add_special_tokens).input_ids
    return ids


def _mapped(change: Callable[[str], str], value: Any) -> Any:
    """A value of JSON's types with every text in it changed, keys too."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {_mapped(change, k): _mapped(change, v) for k, v in value.items()}
    return [_mapped(change, v) for v in value] if isinstance(value, list | tuple) else value


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Finds any of `texts`, the longest where several begin at one place; nothing when empty."""
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")


def _respelled(stock: Spelling) -> Respelled | None:
    from tokenizers import Tokenizer

    backend = getattr(stock.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    parts = json.loads(backend.to_str())
    parts["post_processor"] = parts["truncation"] = parts["padding"] = None
    ids: dict[str, int] = {}
    for token in parts["added_tokens"]:
        if token["content"] in stock.ids:
            token["content"] = NAME.format(token["content"])
        ids[token["content"]] = token["id"]
    copy = Tokenizer.from_str(json.dumps(parts))
    names = {NAME.format(text): i for text, i in stock.ids.items()}
    # A token that the vocabulary also holds under its old name gets a new id in the copy.
    new_ids = {name: copy.token_to_id(name) for name in ids}
    return Respelled(names, copy, {i: ids[name] for name, i in new_ids.items() if i is not None})
