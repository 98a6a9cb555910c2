"""A whole Llama-shaped model's forward and backward over the parameters of the stock one.

Nothing of the stock model is changed: its frozen weights and its adapters' factors are read where
they lie, and gradients are added to the factors' `.grad`.
"""

import importlib
from typing import Any

import torch
from torch import Tensor, nn

from nybble.engine.activations import Activations, AttentionKept, Frame
from nybble.engine.attention import Rows
from nybble.engine.group import Group
from nybble.engine.head import head_loss, tile_tokens
from nybble.engine.host_head import host_head_loss, slice_rows
from nybble.engine.inputs import Inputs
from nybble.engine.layer import Layer
from nybble.engine.reading import read_layers
from nybble.engine.settings import Settings, Unsupported
from nybble.engine.shelf import DeviceShelf, HostShelf, Shelf
from nybble.planner.shape import read_shape


class Transformer:
    """Reads `model`, a Hugging Face model with PEFT's adapters. Raises `Unsupported` with why."""

    def __init__(
        self, model: nn.Module, settings: Settings, dtype: torch.dtype, longest: int
    ) -> None:
        if not hasattr(model, "get_base_model"):
            raise Unsupported("it is trained whole, without adapters")
        stock = model.get_base_model()  # type: ignore[operator]
        shape = read_shape(stock.config.to_dict())
        if isinstance(shape, str):
            raise Unsupported(shape)
        inner, self.settings, self.shape = stock.model, settings, shape
        self.embedding: Tensor = inner.embed_tokens.weight
        self.head: Tensor = stock.lm_head.weight
        self.norm: Tensor = inner.norm.weight
        self.device = self.norm.device
        place = "kernels" if self.device.type == "cuda" else "plain"
        self.ops: Any = importlib.import_module(f"nybble.engine.{place}")
        self.layers = read_layers(model, inner.layers, shape, settings, self.ops, dtype)
        self.cos, self.sin = rotary_table(inner.rotary_emb, longest)
        self.tile = tile_tokens(self.head.shape[0], self.head.element_size(), settings.buffer_bytes)
        self.dtype = dtype
        self.attention_kept = self._spread()
        self.host: list[Tensor] = []
        self.stream: torch.cuda.Stream | None = None
        self._check_trained(model)
        pairs = [pair for group in self.groups for pair in group.rounded()]
        self.rounded = [rounded for rounded, _ in pairs]
        self.factors: list[Tensor] = [factor for _, factor in pairs]

    @property
    def groups(self) -> list[Group]:
        """The groups of linears of all layers, in order."""
        return [g for layer in self.layers for g in (layer.qkv, layer.o, layer.gate_up, layer.down)]

    def refresh(self) -> None:
        """Take over the adapters' present values: once before the packs of a step."""
        torch._foreach_copy_(self.rounded, self.factors)
        for group in self.groups:
            group.refresh()

    @torch.no_grad()
    def run(self, inputs: Inputs, frame: Frame, scale: Tensor | None, loss: Tensor) -> None:
        """Add the losses of a pack to `loss` []; with `scale`, and gradients of the scaled sum.

        A target below 0 is not scored.
        """
        h = self._embedded(inputs)
        delta: Tensor | None = None
        kept: list[Activations] = []
        notes: list[Any] = []
        count = self.settings.recompute_layers if scale is not None else 0
        shelf = self._shelf(h, count)
        for number, layer in enumerate(self.layers):
            made = layer.activations(h, delta, frame)
            h, delta = made.h2, layer.output(made, frame)
            part = layer.attention_kept(made) if number in self.attention_kept else None
            if number < count and part:
                shelf.put(made.h1, part.joined, part.x_o)
                notes.append(part.notes)
            elif number < count:
                shelf.put(made.h1)
            elif scale is not None:
                lean = number < count + self.settings.lean_layers
                kept.append(made.lean() if lean else layer.trimmed(made))
            del made, part
        shelf.close()
        x = torch.empty_like(h)
        h, inverse = self.ops.add_rms_norm(h, delta, self.norm, self.shape.eps, x)
        del delta
        grad = self._head_loss(x, inputs.targets, scale, loss)
        if grad is None:
            return
        grad = self.ops.rms_norm_backward(grad, h, inverse, self.norm, None)
        del x, h, inverse
        for number in reversed(range(len(self.layers))):
            layer = self.layers[number]
            made = kept.pop() if kept else _again(layer, shelf.take(), notes, frame)
            grad = layer.backward(grad, made, frame, through=number > 0)
            del made

    def _embedded(self, inputs: Inputs) -> Tensor:
        if inputs.embedded is not None:
            return inputs.embedded.to(self.dtype, copy=True)
        return nn.functional.embedding(inputs.input_ids, self.embedding).to(self.dtype)

    def _head_loss(
        self, x: Tensor, targets: Tensor, scale: Tensor | None, loss: Tensor
    ) -> Tensor | None:
        if self.settings.host_vocabulary:
            rows = slice_rows(x.shape, self.settings.buffer_bytes)
            return host_head_loss(x, targets, self.head, scale, loss, rows)
        return head_loss(x, targets, self.head.to(self.dtype), scale, loss, self.ops, self.tile)

    def prepare(self, tokens: int, rows: Rows) -> None:
        """Do once what must not be met first in a capture: pinned memory, cuDNN's plans."""
        if self.settings.offload and (not self.host or self.host[0].shape[1] < tokens):
            shapes = self._kept_shapes(self.settings.recompute_layers, tokens)
            self.host = [torch.empty(s, dtype=self.dtype, pin_memory=True) for s in shapes]
            self.stream = self.stream or torch.cuda.Stream()  # type: ignore[no-untyped-call]
        if rows.aligned:
            self.layers[0].warm_attention(tokens, rows)

    def _shelf(self, h: Tensor, count: int) -> Shelf:
        """Where what `count` recomputed layers keep, inputs like `h` and attention's, waits."""
        tokens = h.shape[0]
        if not self.host or self.stream is None:
            return DeviceShelf([h.new_empty(shape) for shape in self._kept_shapes(count, tokens)])
        return HostShelf([block[:, :tokens] for block in self.host], self.stream)

    def _kept_shapes(self, count: int, tokens: int) -> list[tuple[int, int, int]]:
        """Of h1, of joined heads and of the input of o, [layers, tokens, width] each."""
        parts = len(self.attention_kept) if count else 0
        first = self.layers[0]
        return [
            (count, tokens, self.shape.hidden),
            (parts, tokens, first.qkv.outputs),
            (parts, tokens, first.o.inputs + first.o.rank),
        ]

    def _spread(self) -> frozenset[int]:
        """The layers that keep attention's part: evenly spread, so that copies have time.

        None where queries and keys are normed, or where the inputs of o, with their adapters'
        columns, are not all as wide.
        """
        among = self.settings.recompute_layers
        count = min(self.settings.attention_layers, among)
        if self.shape.qk_norm or len({layer.o.rank for layer in self.layers}) > 1:
            return frozenset()
        return frozenset(number * among // count for number in range(count))

    def _check_trained(self, model: nn.Module) -> None:
        """The engine makes the gradients of LoRA factors alone."""
        known = {id(f) for g in self.groups for adapter, _ in g.adapters() for f in
                 (adapter.a, adapter.b)}  # fmt: skip
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and id(parameter) not in known:
                raise Unsupported(f"{name} is trained, which is no plain LoRA factor of a linear")


def _again(layer: Layer, entry: tuple[Tensor, ...], notes: list[Any], frame: Frame) -> Activations:
    """A recomputed layer's activations from what its shelf kept; takes the last of the `notes`."""
    if len(entry) == 1:
        return layer.activations(entry[0], None, frame)
    h1, joined, x_o = entry
    return layer.activations_from(h1, AttentionKept(joined, x_o, notes.pop()), frame)


@torch.no_grad()
def rotary_table(rotary: nn.Module, positions: int) -> tuple[Tensor, Tensor]:
    """cos and sin [positions, head_dim / 2] in fp32, as the stock model scales them."""
    device = next(rotary.buffers()).device
    places = torch.arange(positions, device=device)[None]
    cos, sin = rotary(torch.zeros((), device=device, dtype=torch.float32), places)
    half = cos.shape[-1] // 2
    return cos[0, :, :half].contiguous(), sin[0, :, :half].contiguous()
