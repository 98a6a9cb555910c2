"""A copy between tensors whose rows are apart, which torch copies element by element."""

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


@triton.jit
def _copy(x, out, x_stride, out_stride, width, BLOCK: tl.constexpr):
    token = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + token * x_stride + column, mask=column < width)
    tl.store(out + token * out_stride + column, value, mask=column < width)


def copy(x: Tensor, out: Tensor) -> None:
    """As `plain.copy`."""
    tokens, width = x.shape
    _copy[(tokens, triton.cdiv(width, BLOCK))](
        x, out, x.stride(0), out.stride(0), width, BLOCK=BLOCK, num_warps=4
    )
