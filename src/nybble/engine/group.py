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
from typing import Any

import torch
from torch import Tensor, nn

from nybble.engine.linear import Adapter, Linear, Span, device_of, joined_bias, spans_of
from nybble.engine.plain import write_beside
from nybble.engine.quantized import Quantized, shape_of


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
        buffer_bytes: int,
    ) -> None:
        self.linears = linears
        self.ops = ops
        self.scratch = scratch
        self.kept: Tensor | None = None
        shapes = [shape_of(linear.weight) for linear in linears]
        self.inputs, self.outputs = shapes[0][1], sum(rows for rows, _ in shapes)
        ranks = [linear.adapter.a.shape[0] if linear.adapter else 0 for linear in linears]
        self.rank = sum(ranks)
        self.spans = spans_of([rows for rows, _ in shapes], ranks, self.inputs)
        device = device_of(linears[0].weight)
        self.a = torch.zeros(self.rank, self.inputs, dtype=dtype, device=device)
        self.bias = joined_bias(linears, shapes, dtype, device)
        self.drops = any(linear.adapter and linear.adapter.p for linear in linears)
        width = self.inputs + self.rank
        whole = keep_weights or self.outputs * width * self.a.element_size() <= buffer_bytes
        self.parts = [self.spans] if whole else [[span] for span in self.spans]
        if keep_weights:
            self.kept = torch.empty(
                self.outputs, self.inputs + self.rank, dtype=dtype, device=device
            )
            self._write_weights(self.kept, slice(0, self.outputs))

    def rounded(self) -> list[tuple[Tensor, nn.Parameter]]:
        """Where the factors A are kept in the compute type, and the factors."""
        return [(self.a[self._ranks(span)], adapter.a) for adapter, span in self.adapters()]

    def adapters(self) -> list[tuple[Adapter, Span]]:
        """The linears that have an adapter, with their place."""
        pairs = zip(self.linears, self.spans, strict=True)
        return [(linear.adapter, span) for linear, span in pairs if linear.adapter]

    def refresh(self) -> None:
        """Take over the factors B where the weights are kept; else they are read at each use."""
        if self.kept is not None:
            for linear, span in zip(self.linears, self.spans, strict=True):
                write_beside(self.kept[span.rows, self.inputs :], *self._factor(linear, span))

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
        out = x.new_empty(x.shape[0], self.outputs)
        for part in self.parts:
            rows, weight = self._weights(part)
            if self.bias is None:
                torch.mm(x, weight.t(), out=out[:, rows])
            else:
                torch.addmm(self.bias[rows], x, weight.t(), out=out[:, rows])
        return out

    def backward(self, grad: Tensor, x: Tensor | None, keys: Tensor | None) -> Tensor:
        """Gradient [tokens, K] of the input, of the outputs' `grad` [tokens, N].

        The adapters' gradients are added to their parameters'; without any, `x` is not read.
        """
        wide = self._through_weights(grad)
        d_x, d_xa = wide[:, : self.inputs], wide[:, self.inputs :]
        if not self.rank:
            return d_x
        assert x is not None, "the filled input of a group with adapters"
        self._add_gradients(grad, d_xa, x, keys)
        if not self.drops or keys is None:
            return d_x.addmm_(d_xa, self.a)
        for adapter, span in self.adapters():
            outer = torch.mm(d_xa[:, self._ranks(span)], self.a[self._ranks(span)])
            self.ops.add_dropped_(d_x, outer, keys, adapter.module_number, adapter.p)
        return d_x

    def backward_end(self, grad: Tensor, x: Tensor | None, keys: Tensor | None) -> None:
        """Add the adapters' gradients alone, where nothing before this group is trained."""
        if self.rank and x is not None:
            self._add_gradients(grad, self._through_weights(grad)[:, self.inputs :], x, keys)

    def _add_gradients(self, grad: Tensor, d_xa: Tensor, x: Tensor, keys: Tensor | None) -> None:
        plain = not self.drops or keys is None
        d_a = _mm_wide(d_xa.t(), x[:, : self.inputs]) if plain else None
        for adapter, span in self.adapters():
            _add_mm_(
                _gradient(adapter.b), grad[:, span.rows].t(), x[:, span.columns], adapter.scaling
            )
            ranks = self._ranks(span)
            if d_a is not None:
                _gradient(adapter.a).add_(d_a[ranks])
            elif keys is not None:
                dropped = self._dropped(x, adapter, keys)
                _add_mm_(_gradient(adapter.a), d_xa[:, ranks].t(), dropped, 1.0)

    def _dropped(self, x: Tensor, adapter: Adapter, keys: Tensor) -> Tensor:
        plain = x[:, : self.inputs]
        if not adapter.p:
            return plain
        dropped = x.new_empty(plain.shape)
        self.ops.drop(plain, keys, adapter.module_number, adapter.p, dropped)
        return dropped

    def _ranks(self, span: Span) -> slice:
        return slice(span.columns.start - self.inputs, span.columns.stop - self.inputs)

    def _through_weights(self, grad: Tensor) -> Tensor:
        """`grad` [tokens, N] times the weights: [tokens, K + R]."""
        rows, weight = self._weights(self.parts[0])
        wide = torch.mm(grad[:, rows], weight)
        for part in self.parts[1:]:
            rows, weight = self._weights(part)
            wide.addmm_(grad[:, rows], weight)
        return wide

    def _weights(self, part: list[Span]) -> tuple[slice, Tensor]:
        """The outputs of some linears that stand side by side, and their weights [., K + R]."""
        rows = slice(part[0].rows.start, part[-1].rows.stop)
        if self.kept is not None:
            return rows, self.kept[rows]
        weight = self.scratch.get(rows.stop - rows.start, self.inputs + self.rank, self.a)
        self._write_weights(weight, rows)
        return rows, weight

    def _write_weights(self, out: Tensor, rows: slice) -> None:
        for linear, span in zip(self.linears, self.spans, strict=True):
            if not rows.start <= span.rows.start < rows.stop:
                continue
            begin = span.rows.start - rows.start
            part = out[begin : begin + span.rows.stop - span.rows.start]
            factor = self._factor(linear, span)
            if isinstance(linear.weight, Quantized):
                self.ops.dequantize(linear.weight, part, *factor)
            else:
                part[:, : self.inputs].copy_(linear.weight)
                write_beside(part[:, self.inputs :], *factor)

    def _factor(self, linear: Linear, span: Span) -> tuple[Tensor | None, float, int]:
        """What stands beside a linear's weights: B, its scaling, and its first column there."""
        adapter = linear.adapter
        if adapter is None:
            return None, 1.0, 0
        return adapter.b, adapter.scaling, span.columns.start - self.inputs


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


def _add_mm_(total: Tensor, a: Tensor, b: Tensor, scaling: float) -> None:
    """Add a b times `scaling` to `total`, all in fp32, from factors of any type."""
    if a.is_cuda and a.dtype != torch.float32:
        torch.addmm(total, a, b, alpha=scaling, out_dtype=torch.float32, out=total)
    else:
        total.addmm_(a.float(), b.float(), alpha=scaling)
