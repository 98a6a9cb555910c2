"""A frozen weight as the engine sees it: 4-bit, as bitsandbytes holds it, or plain."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Quantized:
    """A 4-bit weight [outputs, inputs] (Dettmers et al. 2023, QLoRA).

    `packed`: two codes a byte, the first in the high half. `code` [16]: the values of the codes.
    Each `blocksize` values share a scale: `scales` in fp32, or (nested) in 8 bits, each an entry of
    `scale_code` [256] times the `scale_scales` of its `scale_blocksize`, plus `scale_offset`.
    """

    packed: Tensor
    state: Any
    rows: int
    columns: int
    blocksize: int
    code: Tensor
    scales: Tensor
    scale_code: Tensor | None
    scale_scales: Tensor | None
    scale_blocksize: int
    scale_offset: Tensor | None


def read_quantized(weight: Tensor) -> Quantized:
    """The parts of a bitsandbytes `Params4bit`; nothing is copied."""
    state = weight.quant_state  # type: ignore[attr-defined]
    nested = state.state2 if state.nested else None
    rows, columns = state.shape
    return Quantized(
        packed=weight.data,
        state=state,
        rows=rows,
        columns=columns,
        blocksize=state.blocksize,
        code=state.code,
        scales=state.absmax,
        scale_code=nested.code if nested else None,
        scale_scales=nested.absmax if nested else None,
        scale_blocksize=nested.blocksize if nested else 0,
        scale_offset=state.offset if nested else None,
    )


def read_weight(linear: nn.Module) -> Quantized | Tensor:
    """The weight of a linear module, quantised or plain."""
    weight = linear.weight
    assert isinstance(weight, Tensor)
    return read_quantized(weight) if hasattr(weight, "quant_state") else weight.data


def shape_of(weight: Quantized | Tensor) -> tuple[int, int]:
    """Outputs and inputs of a weight."""
    if isinstance(weight, Quantized):
        return weight.rows, weight.columns
    return weight.shape[0], weight.shape[1]


def dequantized(weight: Quantized) -> Tensor:
    """The weight [outputs, inputs] in fp32, in vectorised torch: the oracle of every other way."""
    codes = torch.stack([weight.packed.flatten() >> 4, weight.packed.flatten() & 15], dim=1)
    values = weight.code.float()[codes.long()].reshape(-1, weight.blocksize)
    scales = weight.scales
    if weight.scale_code is not None:
        assert weight.scale_scales is not None and weight.scale_offset is not None
        places = torch.arange(scales.numel(), device=scales.device) // weight.scale_blocksize
        scales = weight.scale_code[scales.long()] * weight.scale_scales[places]
        scales = scales + weight.scale_offset
    return (values * scales.float()[:, None]).reshape(weight.rows, weight.columns)
