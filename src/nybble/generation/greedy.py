"""Batched generation, with nothing left to a model's own defaults."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from nybble.data.render import chat_stop_id
from nybble.generation.batches import Ids, in_batches
from nybble.generation.cache import ModelCache, sampling_settings
from nybble.generation.choice import uniforms
from nybble.generation.decoding import decode
from nybble.generation.ending import Ending, OnText, Stream
from nybble.generation.prefill import knows
from nybble.generation.sampling import Sampling
from nybble.generation.stock import stock_generate
from nybble.model.device import compute_device

OnAnswer = Callable[[int, str], None]


def stop_ids(model: Any, tokenizer: Any) -> list[int]:
    """The tokenizer's stop token, what its chat template ends answers with, and the ids that the
    model's generation config names."""
    named = model.generation_config.eos_token_id
    named = named if isinstance(named, list) else [] if named is None else [named]
    found = [tokenizer.eos_token_id, chat_stop_id(tokenizer), *named]
    return list(dict.fromkeys(token for token in found if token is not None))


@torch.no_grad()
def generate_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Ids],
    sampling: Sampling,
    batch_tokens: int,
    on_answer: OnAnswer,
    answers_each: int = 1,
    on_text: OnText | None = None,
    cache: ModelCache | None = None,
) -> None:
    """Answer every prompt and call `on_answer(place, text)` as each is there.

    At most `batch_tokens` tokens are computed at once, fewer where they find no room on the GPU;
    how many does not change the answers. `answers_each` texts are given per prompt, told apart by
    their draws. `on_text` is called with the answer piece by piece as it is written: for a single
    prompt, without beams. What `cache` holds is not asked again, and what is new it keeps.
    """
    model.eval()
    ending = Ending(tokenizer, frozenset(stop_ids(model, tokenizer)), sampling.stop)
    kept = _Kept(cache, prompts, sampling, sorted(ending.stop_ids))
    generate = decode if sampling.beams == 1 and knows(model) else stock_generate
    left = []
    for place in range(len(prompts)):
        found = [kept.get(place, answer) for answer in range(answers_each)]
        texts = [text for text in found if text is not None]
        if len(texts) < answers_each:
            left.append(place)
            continue
        for text in texts:
            on_answer(place, text)

    def answer(chosen: list[int]) -> None:
        places = [left[i] for i in chosen]
        numbers = None
        if sampling.samples:
            numbers = uniforms(sampling, places, answers_each).to(compute_device(model))
        stream = Stream(ending, on_text) if on_text else None
        asked = [prompts[place] for place in places]
        written = generate(model, asked, answers_each, sampling, numbers, ending, stream)
        for row, ids in enumerate(written):
            place, text = places[row // answers_each], ending.text(ids)
            kept.put(place, row % answers_each, text)
            on_answer(place, text)

    lengths = [len(prompts[place]) for place in left]
    rows_each = max(answers_each, sampling.beams)
    in_batches(lengths, batch_tokens // rows_each, sampling.max_new_tokens, answer)


@dataclass(frozen=True)
class _Kept:
    """The answers to some prompts in a model's cache, where there is one."""

    cache: ModelCache | None
    prompts: Sequence[Ids]
    sampling: Sampling
    stop_ids: list[int]

    def get(self, place: int, answer: int) -> str | None:
        if self.cache is None:
            return None
        text: str | None = self.cache.get(self.prompts[place], self._settings(place, answer))
        return text

    def put(self, place: int, answer: int, text: str) -> None:
        if self.cache is not None:
            self.cache.put(self.prompts[place], self._settings(place, answer), text)

    def _settings(self, place: int, answer: int) -> dict[str, Any]:
        return sampling_settings(self.sampling, place, answer) | {"stop_ids": self.stop_ids}
