"""Prompts in batches of like length, padded on the left so that every row ends where it goes on."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

Ids = list[int]


def batches(
    prompts: Sequence[Ids], batch_tokens: int, new_tokens: int
) -> Iterator[tuple[list[int], int]]:
    """Places of prompts that go together, longest first, and their width.

    A batch has at most `batch_tokens` tokens, new ones included, and at least one prompt.
    """
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    while order:
        width = len(prompts[order[0]])
        count = max(1, batch_tokens // (width + new_tokens))
        yield order[:count], width
        order = order[count:]


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
