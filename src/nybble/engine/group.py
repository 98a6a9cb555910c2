"""Linears with adapters that share an input, computed as one (q, k and v; gate and up).

    y = x W^T + b + s drop(x) A^T (B)^T

The adapters are folded into the base's multiplication: the input holds drop(x) A^T in columns of
its own, the dequantised weight s B in the same ones, so their product is a single one.

    input [tokens, K + R]    [ x | x A1^T | x A2^T ]
    weight [N, K + R]        [ W1 | s B1 |   0     ]
                             [ W2 |   0  | s B2    ]

Backward, dy times that weight gives dx and, in its last columns, the gradient of x A^T.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nybble.engine.quantized import Quantized, read_weight, shape_of


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


class Scratch:
    """One buffer that every group in turn dequantises into."""

    def __init__(self) -> None:
        self.buffer: Tensor | None = None

    def get(self, rows: int, columns: int, like: Tensor) -> Tensor:
        """A buffer [rows, columns] of `like`'s type and device; what was in it is gone."""
        if self.buffer is None or self.buffer.numel() < rows * columns:
            self.buffer = None
            self.buffer = torch.empty(rows * columns, dtype=like.dtype, device=like.device)
        return self.buffer[: rows * columns].view(rows, columns)


class Group:
    """Linears that share an input of width K: N outputs, adapters of total rank R."""

    def __init__(
        self,
        linears: Sequence[Linear],
        ops: Any,
        scratch: Scratch,
        dtype: torch.dtype,
        keep_weights: bool,
    ) -> None:
        self.linears = linears
        self.ops = ops
        self.scratch = scratch
        self.kept: Tensor | None = None
        shapes = [shape_of(linear.weight) for linear in linears]
        self.inputs, self.outputs = shapes[0][1], sum(rows for rows, _ in shapes)
        ranks = [linear.adapter.a.shape[0] if linear.adapter else 0 for linear in linears]
        self.rank = sum(ranks)
        self.spans = _spans([rows for rows, _ in shapes], ranks, self.inputs)
        device = _device_of(linears[0].weight)
        self.a = torch.zeros(self.rank, self.inputs, dtype=dtype, device=device)
        self.b = torch.zeros(self.outputs, self.rank, dtype=dtype, device=device)
        self.bias = _joined_bias(linears, shapes, dtype, device)
        self.drops = any(linear.adapter and linear.adapter.p for linear in linears)
        if keep_weights:
            self.kept = torch.empty(
                self.outputs, self.inputs + self.rank, dtype=dtype, device=device
            )
            self._write_weights(self.kept)

    def adapters(self) -> list[tuple[Adapter, Span]]:
        """The linears that have an adapter, with their place."""
        pairs = zip(self.linears, self.spans, strict=True)
        return [(linear.adapter, span) for linear, span in pairs if linear.adapter]

    def refresh(self) -> None:
        """Take over the adapters' present values, rounded to the compute type."""
        for adapter, span in self.adapters():
            columns = self._ranks(span)
            self.a[columns].copy_(adapter.a)
            self.b[span.rows, columns].copy_(adapter.b * adapter.scaling)
        if self.kept is not None and self.rank:
            self.kept[:, self.inputs :].copy_(self.b)

    def empty_input(self, tokens: int) -> Tensor:
        """A buffer [tokens, K + R]; whoever makes the input writes its first K columns."""
        return self.a.new_empty(tokens, self.inputs + self.rank)

    def fill(self, x: Tensor, keys: Tensor | None) -> None:
        """Write drop(x) A^T beside x [tokens, K + R]; `keys` [tokens] place the dropout's draws."""
        if not self.rank:
            return
        if not self.drops or keys is None:
            torch.mm(x[:, : self.inputs], self.a.t(), out=x[:, self.inputs :])
            return
        for adapter, span in self.adapters():
            dropped = self._dropped(x, adapter, keys)
            torch.mm(dropped, self.a[self._ranks(span)].t(), out=x[:, span.columns])

    def forward(self, x: Tensor) -> Tensor:
        """Outputs [tokens, N] of the filled input x [tokens, K + R]."""
        weight = self._weights()
        if self.bias is None:
            return torch.mm(x, weight.t())
        return torch.addmm(self.bias, x, weight.t())

    def backward(self, grad: Tensor, x: Tensor, keys: Tensor | None, through: bool) -> Tensor:
        """Gradient [tokens, K] of the input, of outputs' `grad` [tokens, N]; adapters' are added.

        With `through` False nothing needs the input's gradient, and what comes back is empty.
        """
        if through:
            wide = torch.mm(grad, self._weights())
            d_x, d_xa = wide[:, : self.inputs], wide[:, self.inputs :]
        else:
            d_x, d_xa = grad.new_empty(0), torch.mm(grad, self.b)
        if not self.rank:
            return d_x
        d_b = _mm_wide(grad.t(), x[:, self.inputs :])
        if not self.drops or keys is None:
            d_a = _mm_wide(d_xa.t(), x[:, : self.inputs])
            if through:
                d_x.addmm_(d_xa, self.a)
        for adapter, span in self.adapters():
            ranks = self._ranks(span)
            _gradient(adapter.b).add_(d_b[span.rows, ranks], alpha=adapter.scaling)
            if not self.drops or keys is None:
                _gradient(adapter.a).add_(d_a[ranks])
                continue
            inner = d_xa[:, ranks]
            _gradient(adapter.a).add_(_mm_wide(inner.t(), self._dropped(x, adapter, keys)))
            if through:
                outer = torch.mm(inner, self.a[ranks])
                self.ops.add_dropped_(d_x, outer, keys, adapter.module_number, adapter.p)
        return d_x

    def _dropped(self, x: Tensor, adapter: Adapter, keys: Tensor) -> Tensor:
        plain = x[:, : self.inputs]
        if not adapter.p:
            return plain
        dropped = x.new_empty(plain.shape)
        self.ops.drop(plain, keys, adapter.module_number, adapter.p, dropped)
        return dropped

    def _ranks(self, span: Span) -> slice:
        return slice(span.columns.start - self.inputs, span.columns.stop - self.inputs)

    def _weights(self) -> Tensor:
        if self.kept is not None:
            return self.kept
        weight = self.scratch.get(self.outputs, self.inputs + self.rank, self.a)
        self._write_weights(weight)
        return weight

    def _write_weights(self, out: Tensor) -> None:
        for linear, span in zip(self.linears, self.spans, strict=True):
            part = out[span.rows, : self.inputs]
            if isinstance(linear.weight, Quantized):
                self.ops.dequantize(linear.weight, part)
            else:
                part.copy_(linear.weight)
        if self.rank:
            out[:, self.inputs :].copy_(self.b)


def _spans(rows: list[int], ranks: list[int], inputs: int) -> list[Span]:
    spans, row, column = [], 0, inputs
    for height, rank in zip(rows, ranks, strict=True):
        spans.append(Span(slice(row, row + height), slice(column, column + rank)))
        row, column = row + height, column + rank
    return spans


def _joined_bias(
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


def _device_of(weight: Quantized | Tensor) -> torch.device:
    return weight.packed.device if isinstance(weight, Quantized) else weight.device


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None, "TrainStep makes the gradients before it computes"
    return parameter.grad


def _mm_wide(a: Tensor, b: Tensor) -> Tensor:
    """a b in fp32, from factors of any type: nothing is rounded on the way into the gradient."""
    if a.dtype == torch.float32:
        return torch.mm(a, b)
    if a.is_cuda:
        return torch.mm(a, b, out_dtype=torch.float32)
    return torch.mm(a.float(), b.float())


def read_linear(module: nn.Module, numbers: dict[nn.Module, int]) -> Linear:
    """A module with PEFT's adapters, or a bare linear, as the engine sees it."""
    base = getattr(module, "base_layer", module)
    bias = getattr(base, "bias", None)
    factors = getattr(module, "lora_A", None)
    if not factors:
        return Linear(read_weight(base), bias, None)
    (name,) = factors.keys()
    dropout = module.lora_dropout[name]  # type: ignore[index]
    adapter = Adapter(
        a=factors[name].weight,
        b=module.lora_B[name].weight,  # type: ignore[index]
        scaling=float(module.scaling[name]),  # type: ignore[index]
        p=float(getattr(dropout, "p", 0.0)),
        module_number=numbers[module],
    )
    return Linear(read_weight(base), bias, adapter)
