"""A batch through transformers' own `generate`: beams, and families that the loop does not know."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from peft import PeftModel
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from nybble.generation.batches import Ids, left_padded
from nybble.generation.choice import Chooser
from nybble.generation.ending import Ending, StopStrings, Stream
from nybble.generation.sampling import Sampling
from nybble.model.device import compute_device


def stock_generate(
    model: Any,
    prompts: Sequence[Ids],
    answers_each: int,
    sampling: Sampling,
    numbers: Tensor | None,
    ending: Ending,
    stream: Stream | None = None,
) -> list[Ids]:
    """As `decoding.decode`; after what ended an answer, padding may follow."""
    rows = [prompt for prompt in prompts for _ in range(answers_each)]
    width = max(map(len, rows))
    stops = sorted(ending.stop_ids)
    # Behind an answer's end stands padding, so it must be something that ends one.
    pad = stops[0] if stops else 0
    ids, mask = left_padded(rows, width, pad, compute_device(model))
    config = GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        min_new_tokens=sampling.min_new_tokens,
        do_sample=False,  # `Chooser` draws
        num_beams=sampling.beams,
        eos_token_id=stops or None,
        pad_token_id=pad,
        use_cache=True,
    )
    with _without_own_defaults(model):
        out = model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=config,
            logits_processor=LogitsProcessorList([Chooser(sampling, mask, numbers)]),
            stopping_criteria=StoppingCriteriaList(
                [StopStrings(ending, width)] if sampling.stop else []
            ),
            streamer=stream,
        )
    new: list[Ids] = out[:, width:].tolist()
    return new


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
