"""Rotary embedding of queries or keys, and its inverse."""

import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _rotate(
    x, cos, sin, positions, out, x_token, x_head, out_token, out_head, heads,
    BACK: tl.constexpr, HEADS: tl.constexpr, HALF: tl.constexpr, HALF_BLOCK: tl.constexpr,
):  # fmt: skip
    """Program i: all heads of token i. Both halves are read before either is written."""
    token = tl.program_id(0).to(tl.int64)
    head = tl.arange(0, HEADS)[:, None]
    column = tl.arange(0, HALF_BLOCK)[None, :]
    inside = (head < heads) & (column < HALF)
    position = tl.load(positions + token)
    c = tl.load(cos + position * HALF + column, mask=column < HALF, other=0.0)
    s = tl.load(sin + position * HALF + column, mask=column < HALF, other=0.0)
    if BACK:
        s = -s
    at = x + token * x_token + head * x_head + column
    first = tl.load(at, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(at + HALF, mask=inside, other=0.0).to(tl.float32)
    to = out + token * out_token + head * out_head + column
    kind = out.dtype.element_ty
    tl.store(to, (first * c - second * s).to(kind), mask=inside)
    tl.store(to + HALF, (second * c + first * s).to(kind), mask=inside)


def rotate(x: Tensor, cos: Tensor, sin: Tensor, positions: Tensor, back: bool, out: Tensor) -> None:
    """As `plain.rotate`; `out` may be `x`, and tokens and heads of both may be apart."""
    tokens, heads, width = x.shape
    half = width // 2
    _rotate[(tokens,)](
        x, cos, sin, positions, out,
        x.stride(0), x.stride(1), out.stride(0), out.stride(1), heads,
        BACK=back, HEADS=triton.next_power_of_2(heads), HALF=half,
        HALF_BLOCK=triton.next_power_of_2(half), num_warps=4,
    )  # fmt: skip
