"""Batched generation through transformers, with nothing left to a model's own defaults."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from nybble.generation.batches import Ids, batches, left_padded

OnAnswer = Callable[[int, str], None]


def stop_ids(model: Any, tokenizer: Any) -> list[int]:
    """The tokenizer's stop token and those that the model's generation config names."""
    named = model.generation_config.eos_token_id
    named = named if isinstance(named, list) else [] if named is None else [named]
    return list(dict.fromkeys([tokenizer.eos_token_id, *named]))


@torch.no_grad()
def generate_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Ids],
    max_new_tokens: int,
    batch_tokens: int,
    on_answer: OnAnswer,
    sample: bool = False,
    answers_each: int = 1,
) -> None:
    """Answer every prompt and call `on_answer(place, text)` as each is there.

    Greedy, or with `sample` drawn from the model's distribution as it is (temperature 1), in which
    case the caller seeds torch; `answers_each` texts are given per prompt.
    """
    model.eval()
    stops = stop_ids(model, tokenizer)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stops[0]
    # Instruct models ship sampling defaults, and what is not set here would be taken from there.
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=sample,
        num_beams=1,
        num_return_sequences=answers_each,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        repetition_penalty=1.0,
        eos_token_id=stops,
        pad_token_id=pad,
        use_cache=True,
    )
    for places, width in batches(prompts, batch_tokens // answers_each, max_new_tokens):
        ids, mask = left_padded([prompts[i] for i in places], width, pad, model.device)
        out = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
        texts = tokenizer.batch_decode(out[:, width:], skip_special_tokens=True)
        for row, text in enumerate(texts):
            on_answer(places[row // answers_each], text)
