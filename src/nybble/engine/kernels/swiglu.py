"""SwiGLU and its gradient, each in one pass."""

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
HIGH, WIDE = 4, 256


@triton.jit
def _swiglu(gate_up, out, out_stride, width, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    at = gate_up + token * 2 * width + column
    gate = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(at + width, mask=inside, other=0.0).to(tl.float32)
    value = gate * tl.sigmoid(gate) * up
    tl.store(out + token * out_stride + column, value.to(out.dtype.element_ty), mask=inside)


def swiglu(gate_up: Tensor, out: Tensor) -> None:
    """As `plain.swiglu`; `out`'s rows may be apart."""
    tokens, width = gate_up.shape[0], gate_up.shape[1] // 2
    grid = (tokens, triton.cdiv(width, BLOCK))
    _swiglu[grid](gate_up, out, out.stride(0), width, BLOCK=BLOCK, num_warps=4)


@triton.jit
def _swiglu_backward(
    gate_up, grad, inner, a, grad_stride, inner_stride, tokens, width,
    RANK: tl.constexpr, HIGH: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Program i, j: HIGH tokens, WIDE columns; both halves are read before one is overwritten."""
    token = tl.program_id(0).to(tl.int64) * HIGH + tl.arange(0, HIGH)[:, None]
    column = tl.program_id(1) * WIDE + tl.arange(0, WIDE)[None, :]
    inside = (token < tokens) & (column < width)
    at = gate_up + token * 2 * width + column
    gate = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(at + width, mask=inside, other=0.0).to(tl.float32)
    d = tl.load(grad + token * grad_stride + column, mask=inside, other=0.0).to(tl.float32)
    # Not tl.dot: its layout of the tile would slow the loads down more than it saves.
    for rank in tl.static_range(RANK):
        left = tl.load(inner + token * inner_stride + rank, mask=token < tokens, other=0.0)
        right = tl.load(a + rank * width + column, mask=column < width, other=0.0)
        d += left.to(tl.float32) * right.to(tl.float32)
    share = tl.sigmoid(gate)
    d_gate = d * up * share * (1.0 + gate * (1.0 - share))
    kind = gate_up.dtype.element_ty
    tl.store(at, d_gate.to(kind), mask=inside)
    tl.store(at + width, (d * gate * share).to(kind), mask=inside)


# From here on a product of its own is faster.
MOST_RANKS = 32


def swiglu_backward_(
    gate_up: Tensor, grad: Tensor, inner: Tensor | None = None, a: Tensor | None = None
) -> None:
    """As `plain.swiglu_backward_`; rows of `grad` and `inner` may be apart."""
    tokens, width = gate_up.shape[0], gate_up.shape[1] // 2
    if inner is not None and a is not None and len(a) > MOST_RANKS:
        grad, inner, a = grad.addmm_(inner, a), None, None
    _swiglu_backward[(triton.cdiv(tokens, HIGH), triton.cdiv(width, WIDE))](
        gate_up, grad, inner, a, grad.stride(0), 0 if inner is None else inner.stride(0),
        tokens, width,
        RANK=0 if a is None else len(a), HIGH=HIGH, WIDE=WIDE, num_warps=4,
    )  # fmt: skip
