"""RMS norm with the residual addition before it, and its gradient with the one after it."""

import torch
import triton
import triton.language as tl
from torch import Tensor


def _warps(block: int) -> int:
    return max(1, min(16, block // 512))


@triton.jit
def _add_rms_norm(
    h, delta, weight, total, out, inverse, out_stride, width, eps,
    HAS_DELTA: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    x = tl.load(h + row * width + column, mask=inside, other=0.0).to(tl.float32)
    if HAS_DELTA:
        x += tl.load(delta + row * width + column, mask=inside, other=0.0).to(tl.float32)
        x = x.to(total.dtype.element_ty)  # the norm sees the stream as it is stored
        tl.store(total + row * width + column, x, mask=inside)
        x = x.to(tl.float32)
    rstd = 1.0 / tl.sqrt(tl.sum(x * x, axis=0) / width + eps)
    tl.store(inverse + row, rstd)
    w = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * out_stride + column, (x * rstd * w).to(out.dtype.element_ty), mask=inside)


def add_rms_norm(
    h: Tensor, delta: Tensor | None, weight: Tensor, eps: float, out: Tensor
) -> tuple[Tensor, Tensor]:
    """As `plain.add_rms_norm`; `out`'s rows may be apart."""
    rows, width = h.shape
    total = h if delta is None else torch.empty_like(h)
    inverse = torch.empty(rows, dtype=torch.float32, device=h.device)
    block = triton.next_power_of_2(width)
    _add_rms_norm[(rows,)](
        h, delta, weight, total, out, inverse, out.stride(0), width, eps,
        HAS_DELTA=delta is not None, BLOCK=block, num_warps=_warps(block),
    )  # fmt: skip
    return total, inverse


@triton.jit
def _rms_norm_backward(
    grad, x, inverse, weight, residual, out, grad_stride, width,
    HAS_RESIDUAL: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < width
    rstd = tl.load(inverse + row)
    normed = tl.load(x + row * width + column, mask=inside, other=0.0).to(tl.float32) * rstd
    g = tl.load(grad + row * grad_stride + column, mask=inside, other=0.0).to(tl.float32)
    scaled = g * tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(scaled * normed, axis=0) / width
    result = rstd * (scaled - normed * mean)
    if HAS_RESIDUAL:
        result += tl.load(residual + row * width + column, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + column, result.to(out.dtype.element_ty), mask=inside)


def rms_norm_backward(
    grad: Tensor, x: Tensor, inverse: Tensor, weight: Tensor, residual: Tensor | None
) -> Tensor:
    """As `plain.rms_norm_backward`; `grad`'s rows may be apart."""
    rows, width = x.shape
    out = torch.empty_like(x)
    block = triton.next_power_of_2(width)
    _rms_norm_backward[(rows,)](
        grad, x, inverse, weight, residual, out, grad.stride(0), width,
        HAS_RESIDUAL=residual is not None, BLOCK=block, num_warps=_warps(block),
    )  # fmt: skip
    return out
