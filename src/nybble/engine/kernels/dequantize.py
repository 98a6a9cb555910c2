"""4-bit weights to compute precision in one pass, with their nested scales (QLoRA's)."""

import triton
import triton.language as tl
from torch import Tensor

from nybble.engine.quantized import Quantized

# Weights that one program writes.
PROGRAM_WEIGHTS = 4096


@triton.jit
def _dequantize(
    packed, scales, scale_code, scale_scales, scale_offset, code, out, out_stride, weights,
    COLUMNS: tl.constexpr, BLOCK: tl.constexpr, BLOCKS: tl.constexpr, NESTED: tl.constexpr,
    SCALE_BLOCK: tl.constexpr,
):  # fmt: skip
    """Program i: BLOCKS blocks of BLOCK weights, each with a scale of its own."""
    block = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    inside = block * BLOCK < weights
    scale = tl.load(scales + block, mask=inside, other=0)
    if NESTED:
        scale = tl.load(scale_code + scale.to(tl.int32))
        outer = tl.load(scale_scales + block // SCALE_BLOCK, mask=inside, other=0.0)
        scale = scale * outer + tl.load(scale_offset)
    half = tl.arange(0, BLOCK // 2)
    place = block[:, None] * (BLOCK // 2) + half[None, :]
    pair = tl.load(packed + place, mask=inside[:, None], other=0).to(tl.int32)
    first = tl.load(code + (pair >> 4)) * scale[:, None]
    second = tl.load(code + (pair & 15)) * scale[:, None]
    both = tl.reshape(tl.join(first, second), (BLOCKS, BLOCK))
    index = block[:, None] * BLOCK + tl.arange(0, BLOCK)[None, :]
    if COLUMNS % BLOCK == 0:  # no block goes on in the next row: one division a block
        begin = block * BLOCK
        start = (begin // COLUMNS) * out_stride + begin % COLUMNS
        target = start[:, None] + tl.arange(0, BLOCK)[None, :]
    else:
        target = (index // COLUMNS) * out_stride + index % COLUMNS
    tl.store(out + target, both.to(out.dtype.element_ty), mask=index < weights)


def dequantize(weight: Quantized, out: Tensor) -> None:
    """Write the weights of `weight` into `out` [outputs, inputs], whose rows may be apart."""
    total = weight.rows * weight.columns
    blocks = max(1, PROGRAM_WEIGHTS // weight.blocksize)
    nested = weight.scale_code is not None
    _dequantize[(triton.cdiv(total, blocks * weight.blocksize),)](
        weight.packed,
        weight.scales,
        weight.scale_code,
        weight.scale_scales,
        weight.scale_offset,
        weight.code,
        out,
        out.stride(0),
        total,
        COLUMNS=weight.columns,
        BLOCK=weight.blocksize,
        BLOCKS=blocks,
        NESTED=nested,
        SCALE_BLOCK=weight.scale_blocksize or 1,
        num_warps=4,
        enable_fp_fusion=False,  # a fused multiply-add would round scales otherwise than QLoRA's
    )
