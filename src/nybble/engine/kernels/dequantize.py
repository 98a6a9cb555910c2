"""4-bit weights to compute precision in one pass, with their nested scales (QLoRA's).

The columns of an adapter beside them are written by further programs of the same launch.
"""

import triton
import triton.language as tl
from torch import Tensor

from nybble.engine.quantized import Quantized

# Weights that one program writes.
PROGRAM_WEIGHTS = 4096


@triton.jit
def _dequantize(
    packed, scales, scale_code, scale_scales, scale_offset, code, out, out_stride, weights,
    b, scaling, first, rows, rank, width, weight_programs,
    COLUMNS: tl.constexpr, BLOCK: tl.constexpr, BLOCKS: tl.constexpr, NESTED: tl.constexpr,
    SCALE_BLOCK: tl.constexpr, HAS_B: tl.constexpr, WIDE: tl.constexpr, HIGH: tl.constexpr,
):  # fmt: skip
    """Program i: BLOCKS blocks of BLOCK weights; the last ones: HIGH rows beside the weights."""
    program = tl.program_id(0)
    if program >= weight_programs:
        row = (program - weight_programs) * HIGH + tl.arange(0, HIGH)[:, None]
        column = tl.arange(0, WIDE)[None, :]
        beside = tl.zeros((HIGH, WIDE), tl.float32)
        if HAS_B:
            own = (row < rows) & (column >= first) & (column < first + rank)
            beside = tl.load(b + row * rank + column - first, mask=own, other=0.0) * scaling
        at = out + row.to(tl.int64) * out_stride + COLUMNS + column
        tl.store(at, beside.to(out.dtype.element_ty), mask=(row < rows) & (column < width))
        return
    block = program * BLOCKS + tl.arange(0, BLOCKS)
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


def dequantize(
    weight: Quantized, out: Tensor, b: Tensor | None = None, scaling: float = 1.0, first: int = 0
) -> None:
    """As `plain.dequantize`; rows of `out` may be apart."""
    total = weight.rows * weight.columns
    blocks = max(1, PROGRAM_WEIGHTS // weight.blocksize)
    programs = triton.cdiv(total, blocks * weight.blocksize)
    width = out.shape[1] - weight.columns
    wide = triton.next_power_of_2(max(1, width))
    high = max(1, PROGRAM_WEIGHTS // wide)
    beside = triton.cdiv(weight.rows, high) if width else 0
    _dequantize[(programs + beside,)](
        weight.packed,
        weight.scales,
        weight.scale_code,
        weight.scale_scales,
        weight.scale_offset,
        weight.code,
        out,
        out.stride(0),
        total,
        b,
        scaling,
        first,
        weight.rows,
        b.shape[1] if b is not None else 0,
        width,
        programs,
        COLUMNS=weight.columns,
        BLOCK=weight.blocksize,
        BLOCKS=blocks,
        NESTED=weight.scale_code is not None,
        SCALE_BLOCK=weight.scale_blocksize or 1,
        HAS_B=b is not None,
        WIDE=wide,
        HIGH=high,
        num_warps=4,
        enable_fp_fusion=False,  # a fused multiply-add would round scales otherwise than QLoRA's
    )
