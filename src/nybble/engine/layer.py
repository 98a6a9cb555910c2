"""A decoder layer's forward and backward, written out.

h1 = h + delta          h: residual stream; delta: what the layer before adds to it
d1 = o(attention(rotate(qkv(norm1(h1)))))
h2 = h1 + d1
d2 = down(swiglu(gate_up(norm2(h2))))         the layer gives h2 and d2
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from nybble.engine.activations import Activations, AttentionKept, Frame, Heads
from nybble.engine.attention import Attention, Rows
from nybble.engine.group import Group
from nybble.planner.shape import Shape


@dataclass(frozen=True)
class Layer:
    """One decoder layer over the groups of its linears; only `scored_at` leaves a `last` one."""

    qkv: Group
    o: Group
    gate_up: Group
    down: Group
    norm1: Tensor
    norm2: Tensor
    q_norm: Tensor | None
    k_norm: Tensor | None
    shape: Shape
    window: int | None
    ops: Any
    attention: Attention
    last: bool

    def activations(self, h: Tensor, delta: Tensor | None, frame: Frame) -> Activations:
        """Everything of the forward but SwiGLU and the last multiplication."""
        x_qkv, h1, inverse1 = self._normed(self.qkv, h, delta, self.norm1, frame.keys)
        heads = self._heads(self.qkv.forward(x_qkv), frame)
        out, kept = self.attention.forward(heads.q, heads.k, heads.v, frame.rows, self.window)
        keys, whole, stream = self._keys(frame), None, h1
        if self.last:
            whole, out = out, out.index_select(0, frame.scored_at)
            stream = h1.index_select(0, frame.scored_at)
        x_o = self._filled(self.o, lambda x: self.ops.copy(out.flatten(1), x), out.shape[0], keys)
        x_gate_up, h2, inverse2, gate_up = self._mlp(stream, x_o, keys)
        return Activations(
            h1, inverse1, x_qkv, heads, kept, x_o, whole, h2, inverse2, x_gate_up, gate_up, None
        )

    def activations_from(self, h1: Tensor, part: AttentionKept, frame: Frame) -> Activations:
        """The same of a layer whose attention was kept; not of the last one."""
        x_qkv, _, inverse1 = self._normed(self.qkv, h1, None, self.norm1, frame.keys)
        heads = Heads(*self._split(part.joined), None, part.joined)
        x_gate_up, h2, inverse2, gate_up = self._mlp(h1, part.x_o, frame.keys)
        return Activations(
            h1, inverse1, x_qkv, heads, part.notes, part.x_o, None, h2, inverse2, x_gate_up,
            gate_up, None,
        )  # fmt: skip

    def attention_kept(self, made: Activations) -> AttentionKept | None:
        """What `activations_from` needs beside h1; None where it can't be used."""
        if self.last or made.heads.joined is None:
            return None
        return AttentionKept(made.heads.joined, made.x_o, self.attention.notes(made.attention))

    def output(self, made: Activations, frame: Frame) -> Tensor:
        """d2 [tokens, hidden], which is added to `made.h2`; its input is added to `made`."""
        made.x_down = self._swiglu(made.gate_up, self._keys(frame))
        return self.down.forward(made.x_down)

    def trimmed(self, made: Activations) -> Activations:
        """`made` without the inputs of groups that have no adapters: no gradient needs those."""
        return replace(
            made,
            x_qkv=made.x_qkv if self.qkv.rank else None,
            x_gate_up=made.x_gate_up if self.gate_up.rank else None,
            x_down=made.x_down if self.down.rank else None,
        )

    def backward(self, grad: Tensor, made: Activations, frame: Frame, through: bool) -> Tensor:
        """Gradient of h1 from that of h2 + d2, both [tokens, hidden]; the adapters' are added.

        With `through` False nothing before the layer is trained, and what comes back is empty.
        """
        keys = self._keys(frame)
        x_down = made.x_down
        if x_down is None and self.down.rank:
            x_down = self._swiglu(made.gate_up, keys)
        d_x = self.down.backward(grad, x_down, keys)
        self.ops.swiglu_backward_(made.gate_up, d_x)
        made.x_down = None
        del x_down, d_x
        x_gate_up = made.x_gate_up
        if x_gate_up is None and self.gate_up.rank:
            x_gate_up, _, _ = self._normed(self.gate_up, made.h2, None, self.norm2, keys)
        d_x = self.gate_up.backward(made.gate_up, x_gate_up, keys)
        del made.gate_up, x_gate_up
        made.x_gate_up = None
        grad = self.ops.rms_norm_backward(d_x, made.h2, made.inverse2, self.norm2, grad)
        del d_x
        d_x = self.o.backward(grad, made.x_o, keys)
        d_out = torch.empty_like(d_x, memory_format=torch.contiguous_format)
        self.ops.copy(d_x, d_out)
        del d_x
        out = made.x_o[:, : self.o.inputs]
        if made.whole_out is not None:
            out = made.whole_out.flatten(1)
            d_out = _scattered(d_out, frame.scored_at, out.shape[0])
            grad = _scattered(grad, frame.scored_at, out.shape[0])
        d_qkv = self._heads_backward(d_out, out, made, frame)
        x_qkv = made.x_qkv
        if x_qkv is None and self.qkv.rank:
            x_qkv, _, _ = self._normed(self.qkv, made.h1, None, self.norm1, frame.keys)
        if not through:
            self.qkv.backward_end(d_qkv, x_qkv, frame.keys)
            return d_qkv.new_empty(0)
        d_x = self.qkv.backward(d_qkv, x_qkv, frame.keys)
        result: Tensor = self.ops.rms_norm_backward(d_x, made.h1, made.inverse1, self.norm1, grad)
        return result

    def warm_attention(self, tokens: int, rows: Rows) -> None:
        """Compute attention alone once: cuDNN plans a shape when it first meets it."""
        qkv = self._split(self.norm1.new_zeros(tokens, self.qkv.outputs))
        out, kept = self.attention.forward(*qkv, rows, self.window)
        self.attention.backward(out, qkv, out, kept, rows, self.window)

    def _keys(self, frame: Frame) -> Tensor | None:
        """Of the tokens that leave the layer."""
        if frame.keys is None or not self.last:
            return frame.keys
        return frame.keys.index_select(0, frame.scored_at)

    def _mlp(
        self, stream: Tensor, x_o: Tensor, keys: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The input of gate and up, the residual stream with its 1 / rms, and gate and up."""
        d1 = self.o.forward(x_o)
        x_gate_up, h2, inverse2 = self._normed(self.gate_up, stream, d1, self.norm2, keys)
        return x_gate_up, h2, inverse2, self.gate_up.forward(x_gate_up)

    def _filled(
        self, group: Group, write: Callable[[Tensor], Any], tokens: int, keys: Tensor | None
    ) -> Tensor:
        x = group.empty_input(tokens)
        write(x[:, : group.inputs])
        group.fill(x, keys)
        return x

    def _normed(
        self, group: Group, h: Tensor, delta: Tensor | None, norm: Tensor, keys: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The input of `group`, and the residual stream with its 1 / rms."""
        x = group.empty_input(h.shape[0])
        total, inverse = self.ops.add_rms_norm(h, delta, norm, self.shape.eps, x[:, : group.inputs])
        group.fill(x, keys)
        return x, total, inverse

    def _swiglu(self, gate_up: Tensor, keys: Tensor | None) -> Tensor:
        return self._filled(
            self.down, lambda x: self.ops.swiglu(gate_up, x), gate_up.shape[0], keys
        )

    def _heads(self, qkv: Tensor, frame: Frame) -> Heads:
        """Queries and keys, rotated in place, and values, of the outputs [tokens, widths]."""
        places = (frame.cos, frame.sin, frame.positions, False)
        q, k, v = self._split(qkv)
        if self.q_norm is None or self.k_norm is None:
            both = qkv[:, : self.shape.query_width + self.shape.kv_width]
            both = both.view(len(qkv), -1, self.shape.head_dim)  # side by side: rotated at once
            self.ops.rotate(both, *places, both)
            return Heads(q, k, v, None, qkv)
        q, q_before, q_inverse = self._head_norm(q, self.q_norm)
        k, k_before, k_inverse = self._head_norm(k, self.k_norm)
        for x in (q, k):
            self.ops.rotate(x, *places, x)
        return Heads(q, k, v, (q_before, q_inverse, k_before, k_inverse), None)

    def _head_norm(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before = x.reshape(-1, self.shape.head_dim)
        after = before.new_empty(before.shape)
        _, inverse = self.ops.add_rms_norm(before, None, weight, self.shape.eps, after)
        return after.view(x.shape), before, inverse

    def _heads_backward(
        self, d_out: Tensor, out: Tensor, made: Activations, frame: Frame
    ) -> Tensor:
        """Gradient [tokens, widths] of the outputs of qkv, given attention's output's."""
        heads = made.heads
        d_q, d_k, d_v = self.attention.backward(
            d_out.view(heads.q.shape),
            (heads.q, heads.k, heads.v),
            out.view(heads.q.shape),
            made.attention,
            frame.rows,
            self.window,
        )
        result = d_out.new_empty(d_out.shape[0], self.qkv.outputs)
        into_q, into_k, into_v = self._split(result)
        self.ops.copy(d_v.flatten(1), into_v.flatten(1))
        places = (frame.cos, frame.sin, frame.positions, True)
        if heads.unnormed is None:
            self.ops.rotate(d_q, *places, into_q)
            self.ops.rotate(d_k, *places, into_k)
            return result
        q_before, q_inverse, k_before, k_inverse = heads.unnormed
        for d, before, inverse, norm, into in (
            (d_q, q_before, q_inverse, self.q_norm, into_q),
            (d_k, k_before, k_inverse, self.k_norm, into_k),
        ):
            self.ops.rotate(d, *places, d)
            flat = d.reshape(-1, self.shape.head_dim)
            raw = self.ops.rms_norm_backward(flat, before, inverse, norm, None)
            into.copy_(raw.view(d.shape))
        return result

    def _split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Views [tokens, heads, head_dim] of [tokens, widths]."""
        shape, tokens = self.shape, qkv.shape[0]
        widths = [shape.query_width, shape.kv_width, shape.kv_width]
        q, k, v = torch.split(qkv, widths, dim=1)
        return (
            q.view(tokens, shape.heads, shape.head_dim),
            k.view(tokens, shape.kv_heads, shape.head_dim),
            v.view(tokens, shape.kv_heads, shape.head_dim),
        )


def _scattered(x: Tensor, places: Tensor, tokens: int) -> Tensor:
    """`x` [scored, width] at `places` of zeros [tokens, width]; filled up ones add a zero."""
    return x.new_zeros(tokens, x.shape[1]).index_add_(0, places, x)
