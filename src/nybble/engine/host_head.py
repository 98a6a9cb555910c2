"""The head and the loss where the head waits in the host's memory.

Its rows come over slice by slice, each once. What a slice adds to the softmax and to the gradient
is accumulated as FlashAttention does it (Dao et al. 2022), the head's rows being both keys and
values (the running maximum: Milakov & Gimelshein 2018).
"""

import torch
from torch import Tensor

SLICE_ROWS = 64


def slice_rows(shape: torch.Size, buffer_bytes: int) -> int:
    """Rows of the head at once, for hidden states of `shape` [scored, width]."""
    return max(SLICE_ROWS, buffer_bytes // (8 * max(shape)) // SLICE_ROWS * SLICE_ROWS)


def host_head_loss(
    hidden: Tensor,
    targets: Tensor,
    weight: Tensor,
    scale: Tensor | None,
    loss_sum: Tensor,
    rows_at_once: int,
) -> Tensor | None:
    """As `head_loss`, with `weight` [vocabulary, width] on the host, pinned for a GPU.

    The target's own share is left out of the sums: next to it the others would be lost in
    rounding, and the gradient of a well-known token is what the others make of it.
    """
    most = torch.full(targets.shape, float("-inf"), device=hidden.device)
    others, picked = torch.zeros_like(most), torch.zeros_like(most)
    pull = torch.zeros(hidden.shape, device=hidden.device)
    target_rows = torch.zeros_like(hidden)
    for start in range(0, weight.shape[0], rows_at_once):
        rows = weight[start : start + rows_at_once]
        rows = rows.to(hidden.device, non_blocking=True).to(hidden.dtype)
        logits = torch.mm(hidden, rows.t()).float()
        inside = (targets >= start) & (targets < start + rows.shape[0])
        place = (targets - start).clamp(0, rows.shape[0] - 1).long()[:, None]
        own = logits.gather(1, place)[:, 0]
        picked = torch.where(inside, own, picked)
        larger = torch.maximum(most, logits.amax(dim=1))
        shares = logits.sub_(larger[:, None]).exp_()
        shares.scatter_(1, place, shares.gather(1, place) * ~inside[:, None])
        shrunk = torch.exp(most - larger)
        others = others * shrunk + shares.sum(dim=1)
        most = larger
        if scale is not None:
            pull.mul_(shrunk[:, None]).add_(torch.mm(shares.to(hidden.dtype), rows))
            target_rows = torch.where(inside[:, None], rows[place[:, 0]], target_rows)
    scored = targets >= 0
    total = others + torch.exp(picked - most)
    loss_sum += ((most + total.log() - picked) * scored).sum()
    if scale is None:
        return None
    pull.sub_(target_rows * others[:, None]).mul_((scale * scored / total)[:, None])
    return pull.to(hidden.dtype)
