"""Cross-entropy whose logits become their own gradient: read twice, written once."""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 4096


@triton.jit
def _cross_entropy(
    logits, targets, weight, losses, stride, VOCABULARY: tl.constexpr, BLOCK: tl.constexpr
):
    """Program i: row i. First the maximum and the sum of exponentials, then the gradient."""
    row = tl.program_id(0).to(tl.int64)
    begin = logits + row * stride
    target = tl.load(targets + row)
    most = tl.full((), float("-inf"), tl.float32)
    total = tl.full((), 0.0, tl.float32)
    for start in range(0, VOCABULARY, BLOCK):
        column = start + tl.arange(0, BLOCK)
        x = tl.load(begin + column, mask=column < VOCABULARY, other=float("-inf")).to(tl.float32)
        larger = tl.maximum(most, tl.max(x, axis=0))
        total = total * tl.exp(most - larger) + tl.sum(tl.exp(x - larger), axis=0)
        most = larger
    log_sum = most + tl.log(total)
    scored = target >= 0
    picked = tl.load(begin + tl.maximum(target, 0)).to(tl.float32)
    tl.store(losses + row, tl.where(scored, log_sum - picked, 0.0))
    factor = tl.where(scored, tl.load(weight), 0.0)
    for start in range(0, VOCABULARY, BLOCK):
        column = start + tl.arange(0, BLOCK)
        inside = column < VOCABULARY
        x = tl.load(begin + column, mask=inside, other=float("-inf")).to(tl.float32)
        gradient = (tl.exp(x - log_sum) - tl.where(column == target, 1.0, 0.0)) * factor
        tl.store(begin + column, gradient.to(logits.dtype.element_ty), mask=inside)


def cross_entropy_(logits: Tensor, targets: Tensor, weight: Tensor, loss_sum: Tensor) -> None:
    """As `plain.cross_entropy_`."""
    rows, vocabulary = logits.shape
    losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
    _cross_entropy[(rows,)](
        logits, targets, weight, losses, logits.stride(0),
        VOCABULARY=vocabulary, BLOCK=BLOCK, num_warps=8,
    )  # fmt: skip
    loss_sum.add_(losses.sum())
