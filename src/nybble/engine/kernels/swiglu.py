"""SwiGLU and its gradient, each in one pass."""

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


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
def _swiglu_backward(gate_up, grad, grad_stride, width, BLOCK: tl.constexpr):
    """Both halves are read before either is overwritten."""
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    at = gate_up + token * 2 * width + column
    gate = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(at + width, mask=inside, other=0.0).to(tl.float32)
    d = tl.load(grad + token * grad_stride + column, mask=inside, other=0.0).to(tl.float32)
    share = tl.sigmoid(gate)
    d_gate = d * up * share * (1.0 + gate * (1.0 - share))
    kind = gate_up.dtype.element_ty
    tl.store(at, d_gate.to(kind), mask=inside)
    tl.store(at + width, (d * gate * share).to(kind), mask=inside)


def swiglu_backward_(gate_up: Tensor, grad: Tensor) -> None:
    """As `plain.swiglu_backward_`; `grad`'s rows may be apart."""
    tokens, width = gate_up.shape[0], gate_up.shape[1] // 2
    grid = (tokens, triton.cdiv(width, BLOCK))
    _swiglu_backward[grid](gate_up, grad, grad.stride(0), width, BLOCK=BLOCK, num_warps=4)
