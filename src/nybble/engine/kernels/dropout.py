"""Counter-based dropout: the draws of `nybble.engine.dropout`, computed where they are used."""

import triton
import triton.language as tl
from torch import Tensor

from nybble.engine.dropout import BITS, MIX_1, MIX_2, STRIDE, signed, threshold

BLOCK = 1024


@triton.jit
def _mix(x, FIRST: tl.constexpr, SECOND: tl.constexpr):
    """lowbias32 of 32-bit words."""
    x = (x ^ (x >> 16)) * FIRST
    x = (x ^ (x >> 15)) * SECOND
    return x ^ (x >> 16)


@triton.jit
def _drop(
    x, keys, out, salt, least, factor, x_stride, out_stride, width,
    ADD: tl.constexpr, BLOCK: tl.constexpr,
    FIRST: tl.constexpr, SECOND: tl.constexpr, STRIDE: tl.constexpr, BITS: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = column < width
    key = (tl.load(keys + token) ^ salt).to(tl.uint32, bitcast=True)
    begin = _mix(key, FIRST, SECOND)
    draw = _mix(begin + column.to(tl.uint32) * STRIDE, FIRST, SECOND) >> (32 - BITS)
    value = tl.load(x + token * x_stride + column, mask=inside, other=0.0).to(tl.float32)
    kept = tl.where(draw.to(tl.int32) >= least, value * factor, 0.0)
    at = out + token * out_stride + column
    if ADD:
        kept = kept.to(out.dtype.element_ty).to(tl.float32)
        kept += tl.load(at, mask=inside, other=0.0).to(tl.float32)
    tl.store(at, kept.to(out.dtype.element_ty), mask=inside)


def _launch(x: Tensor, keys: Tensor, module: int, p: float, out: Tensor, add: bool) -> None:
    tokens, width = x.shape
    _drop[(tokens, triton.cdiv(width, BLOCK))](
        x, keys, out, signed(module * MIX_1 + 1), threshold(p), 1.0 / (1.0 - p),
        x.stride(0), out.stride(0), width,
        ADD=add, BLOCK=BLOCK, FIRST=MIX_1, SECOND=MIX_2, STRIDE=STRIDE, BITS=BITS, num_warps=4,
    )  # fmt: skip


def drop(x: Tensor, keys: Tensor, module: int, p: float, out: Tensor) -> None:
    """As `plain.drop`; rows of both may be apart."""
    _launch(x, keys, module, p, out, add=False)


def add_dropped_(total: Tensor, x: Tensor, keys: Tensor, module: int, p: float) -> None:
    """As `plain.add_dropped_`; rows of both may be apart."""
    _launch(x, keys, module, p, total, add=True)
