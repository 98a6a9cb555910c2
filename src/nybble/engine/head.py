"""The head and the loss, at scored positions only.

Positions are taken in tiles: a tile's logits become its losses, and in place its gradient, which
goes straight back through the head. No logits tensor of a whole step ever exists (the idea of Cut
Cross-Entropy, Wijmans et al. 2024, and Liger, Hsu et al. 2024).
"""

from typing import Any

import torch
from torch import Tensor


def tile_tokens(vocabulary: int, element_bytes: int, buffer_bytes: int) -> int:
    """Positions whose logits are held at once."""
    return max(64, buffer_bytes // (vocabulary * element_bytes) // 64 * 64)


def head_loss(
    hidden: Tensor,
    targets: Tensor,
    weight: Tensor,
    scale: Tensor | None,
    loss_sum: Tensor,
    ops: Any,
    tile: int,
) -> Tensor | None:
    """Add the losses at `hidden` [scored, width] to `loss_sum` []; the gradient of `hidden`.

    `weight` [vocabulary, width] is the head's; a target below 0 is not scored. The gradient is of
    the sum of losses times `scale` []; there is none where `scale` is None.
    """
    gradient = torch.empty_like(hidden) if scale is not None else None
    one = scale if scale is not None else torch.ones((), device=hidden.device)
    for start in range(0, hidden.shape[0], tile):
        stop = min(start + tile, hidden.shape[0])
        logits = torch.mm(hidden[start:stop], weight.t())
        ops.cross_entropy_(logits, targets[start:stop], one, loss_sum)
        if gradient is not None:
            torch.mm(logits, weight, out=gradient[start:stop])
    return gradient
