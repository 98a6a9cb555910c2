"""Batched generation through transformers, with nothing left to a model's own defaults."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft import PeftModel
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from nybble.data.render import chat_stop_id
from nybble.generation.batches import Ids, batches, left_padded
from nybble.generation.choice import Chooser, uniforms
from nybble.generation.ending import Ending, OnText, StopStrings, Stream
from nybble.generation.sampling import Sampling
from nybble.model.device import compute_device

OnAnswer = Callable[[int, str], None]


def stop_ids(model: Any, tokenizer: Any) -> list[int]:
    """The tokenizer's stop token, what its chat template ends answers with, and the ids that the
    model's generation config names."""
    named = model.generation_config.eos_token_id
    named = named if isinstance(named, list) else [] if named is None else [named]
    return list(dict.fromkeys([tokenizer.eos_token_id, chat_stop_id(tokenizer), *named]))


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

    At most `batch_tokens` tokens are computed at once; how many does not change the answers.
    `answers_each` texts are given per prompt, told apart by their draws. `on_text` is called with
    the answer piece by piece as it is written: for a single prompt, without beams.
    """
    model.eval()
    stops = stop_ids(model, tokenizer)
    ending = Ending(tokenizer, frozenset(stops), sampling.stop)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stops[0]
    config, device = _config(sampling, stops, pad), compute_device(model)
    rows_each = max(answers_each, sampling.beams)
    with _without_own_defaults(model):
        for places, width in batches(prompts, batch_tokens // rows_each, sampling.max_new_tokens):
            rows = [prompts[i] for i in places for _ in range(answers_each)]
            ids, mask = left_padded(rows, width, pad, device)
            numbers = None
            if sampling.samples:
                numbers = uniforms(sampling, places, answers_each).to(ids.device)
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=LogitsProcessorList([Chooser(sampling, mask, numbers)]),
                stopping_criteria=StoppingCriteriaList(
                    [StopStrings(ending, width)] if sampling.stop else []
                ),
                streamer=Stream(ending, on_text) if on_text else None,
            )
            for row, new in enumerate(out[:, width:].tolist()):
                on_answer(places[row // answers_each], ending.text(new))


def _config(sampling: Sampling, stops: list[int], pad: int) -> Any:
    """Lengths, beams and stop tokens; `Chooser` does the rest, so do_sample stays off."""
    return GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        min_new_tokens=sampling.min_new_tokens,
        do_sample=False,
        num_beams=sampling.beams,
        eos_token_id=stops,
        pad_token_id=pad,
        use_cache=True,
    )


@contextmanager
def _without_own_defaults(model: Any) -> Iterator[None]:
    """Instruct models ship sampling defaults, and what a call does not set is taken from them."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    own = inner.generation_config
    inner.generation_config = GenerationConfig()
    try:
        yield
    finally:
        inner.generation_config = own
