"""Prompts in batches of like length, padded on the left so that every row ends where it goes on."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Ids = list[int]


def in_batches(
    lengths: Sequence[int], batch_tokens: int, new_tokens: int, compute: Callable[[list[int]], None]
) -> None:
    """Call `compute` with the places of prompts that go together, until each had its turn.

    Longest first, so that what does not fit shows at once. A batch has at most `batch_tokens`
    tokens, new ones included, and at least one prompt. Where the GPU has no room for it, `compute`
    is called again for at most half as many prompts, and so are all that follow.
    """
    left = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    while left:
        width = lengths[left[0]] + new_tokens
        count = min(len(left), max(1, batch_tokens // width))
        try:
            compute(left[:count])
        except torch.OutOfMemoryError:
            if count == 1:
                raise
            batch_tokens = count // 2 * width
        else:
            left = left[count:]
            continue
        # Only here nothing of the failed batch is held any more, by the error's traceback either.
        torch.cuda.empty_cache()


def left_padded(
    prompts: Sequence[Ids], width: int, pad_id: int, device: Any
) -> tuple[Tensor, Tensor]:
    """Ids and attention mask [prompts, width] on `device`."""
    ids = torch.full((len(prompts), width), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt)
        mask[row, width - len(prompt) :] = 1
    return ids.to(device), mask.to(device)
