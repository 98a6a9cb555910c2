"""Prompts computed at once: their keys and values, and the logits of what comes next."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import Cache, StaticLayer

from nybble.generation.batches import Ids, left_padded
from nybble.model.device import compute_device
from nybble.planner.shape import read_shape
from nybble.runs.errors import NybbleError

# Fewer tokens saved are not worth a forward of their own.
WORTH_SHARING = 1_024


class ComputesNaNError(NybbleError):
    """A model of which nothing can be asked."""


def knows(model: Any) -> bool:
    """Whether `model` is of a family whose attention, positions and head are known here."""
    return not isinstance(read_shape(model.config.to_dict()), str)


def next_logits(model: Any, prompts: Sequence[Ids], pad_id: int) -> Tensor:
    """Logits [prompts, vocabulary] in fp32 of what follows each prompt; `pad_id` fills up."""
    if knows(model):
        return prefill(model, prompts, 0, pad_id)[-1]
    width = max(map(len, prompts))
    ids, mask = left_padded(prompts, width, pad_id, compute_device(model))
    made = model(
        input_ids=ids, attention_mask=mask, position_ids=positions_of(mask), logits_to_keep=1
    )
    logits: Tensor = made.logits[:, -1].float()
    return refuse_nan(logits)


def prefill(
    model: Any, prompts: Sequence[Ids], new_tokens: int, pad_id: int = 0
) -> tuple[Tensor, Tensor, Cache, Tensor]:
    """Ids [prompts, width], mask [prompts, width + new_tokens], cache and next logits of prompts.

    What all begin with, as few-shot examples do, is computed once; padding comes after it:

        shared shared shared   -      own   new ...
        shared shared shared  own     own   new ...
    """
    shared = _shared(model, prompts)
    width = max(map(len, prompts))
    own, real = left_padded(
        [prompt[shared:] for prompt in prompts], width - shared, pad_id, compute_device(model)
    )
    first = torch.tensor([prompts[0][:shared]], dtype=torch.long, device=own.device)
    mask = nn.functional.pad(real, (shared, new_tokens), value=1)
    positions = positions_of(mask)
    layers = [StaticLayer(mask.shape[1]) for _ in range(model.config.num_hidden_layers)]
    cache = Cache(layers=layers)
    if shared:
        forward(model, first, mask[:1, :shared], positions[:1, :shared], cache)
        cache.reorder_cache(torch.zeros(len(prompts), dtype=torch.long, device=own.device))
    # Of the prompts' width alone: where none is padded, no mask is made, and attention is faster.
    logits = forward(model, own, mask[:, :width], positions[:, shared:width], cache)
    refuse_nan(logits)
    return torch.cat([first.expand(len(prompts), -1), own], dim=1), mask, cache, logits


def refuse_nan(values: Tensor) -> Tensor:
    """`values`, of a model that can be asked. What is chosen by NaN would be always the same."""
    if bool(values.isnan().any()):
        raise ComputesNaNError(
            "The model computes NaN for a prompt: whatever it said would mean nothing.",
            "Its training may have diverged: ask an earlier checkpoint. Or it overflows in 16 "
            "bits: say model.dtype=float32.",
        )
    return values


def _shared(model: Any, prompts: Sequence[Ids]) -> int:
    """Tokens at the beginning that are computed once for all `prompts`."""
    shape = read_shape(model.config.to_dict())
    if isinstance(shape, str) or any(shape.windows):
        return 0  # a window counts padding too
    shortest = min(map(len, prompts))
    pairs = zip(min(prompts), max(prompts), strict=False)  # all others lie between these two
    count = next((i for i, (a, b) in enumerate(pairs) if a != b), shortest)
    count = min(count, shortest - 1)
    return count if count * (len(prompts) - 1) >= WORTH_SHARING else 0


def positions_of(mask: Tensor) -> Tensor:
    """Each token's place in its row, of a mask [rows, length]."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def forward(model: Any, ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> Tensor:
    """Logits [rows, vocabulary] in fp32 after the last of `ids`, which are added to `cache`."""
    made = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: Tensor = made.logits[:, -1].float()
    return logits
