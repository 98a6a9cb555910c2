"""Batched generation, with nothing left to a model's own defaults."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from nybble.data.render import chat_stop_id
from nybble.generation.batches import Ids, in_batches
from nybble.generation.choice import uniforms
from nybble.generation.decoding import decode, has_static_cache
from nybble.generation.ending import Ending, OnText, Stream
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
) -> None:
    """Answer every prompt and call `on_answer(place, text)` as each is there.

    At most `batch_tokens` tokens are computed at once, fewer where they find no room on the GPU;
    how many does not change the answers. `answers_each` texts are given per prompt, told apart by
    their draws. `on_text` is called with the answer piece by piece as it is written: for a single
    prompt, without beams.
    """
    model.eval()
    ending = Ending(tokenizer, frozenset(stop_ids(model, tokenizer)), sampling.stop)
    generate = decode if sampling.beams == 1 and has_static_cache(model) else stock_generate
    rows_each = max(answers_each, sampling.beams)

    def answer(places: list[int]) -> None:
        numbers = None
        if sampling.samples:
            numbers = uniforms(sampling, places, answers_each).to(compute_device(model))
        stream = Stream(ending, on_text) if on_text else None
        asked = [prompts[i] for i in places]
        written = generate(model, asked, answers_each, sampling, numbers, ending, stream)

        for row, ids in enumerate(written):
            on_answer(places[row // answers_each], ending.text(ids))

    in_batches(
        [len(prompt) for prompt in prompts],
        batch_tokens // rows_each,
        sampling.max_new_tokens,
        answer,
    )
