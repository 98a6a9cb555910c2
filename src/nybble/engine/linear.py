"""The linears of a layer as the engine sees them: a frozen weight, a bias, LoRA's factors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nybble.engine.quantized import Quantized, read_weight


@dataclass(frozen=True)
class Adapter:
    """LoRA factors A [r, K] and B [N, r] in fp32, and the dropout of their input."""

    a: nn.Parameter
    b: nn.Parameter
    scaling: float
    p: float
    module_number: int


@dataclass(frozen=True)
class Linear:
    """One linear of a group; `adapter` is None where it has none."""

    weight: Quantized | Tensor
    bias: Tensor | None
    adapter: Adapter | None


@dataclass(frozen=True)
class Span:
    """Where a linear stands in its group: its outputs, and the columns of its adapter."""

    rows: slice
    columns: slice


def spans_of(rows: list[int], ranks: list[int], inputs: int) -> list[Span]:
    spans, row, column = [], 0, inputs
    for height, rank in zip(rows, ranks, strict=True):
        spans.append(Span(slice(row, row + height), slice(column, column + rank)))
        row, column = row + height, column + rank
    return spans


def joined_bias(
    linears: Sequence[Linear],
    shapes: list[tuple[int, int]],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor | None:
    if all(linear.bias is None for linear in linears):
        return None
    parts = [
        torch.zeros(rows, device=device) if linear.bias is None else linear.bias.data
        for linear, (rows, _) in zip(linears, shapes, strict=True)
    ]
    return torch.cat([part.to(dtype) for part in parts])


def device_of(weight: Quantized | Tensor) -> torch.device:
    return weight.packed.device if isinstance(weight, Quantized) else weight.device


def read_linear(module: Any, numbers: dict[nn.Module, int]) -> Linear:
    """A module with PEFT's adapters, or a bare linear, as the engine sees it."""
    base = getattr(module, "base_layer", module)
    bias = getattr(base, "bias", None)
    factors = getattr(module, "lora_A", None)
    if not factors:
        return Linear(read_weight(base), bias, None)
    (name,) = factors.keys()
    dropout = module.lora_dropout[name]
    adapter = Adapter(
        a=factors[name].weight,
        b=module.lora_B[name].weight,
        scaling=float(module.scaling[name]),
        p=float(getattr(dropout, "p", 0.0)),
        module_number=numbers[module],
    )
    return Linear(read_weight(base), bias, adapter)
