"""A whole Llama-shaped model's forward and backward over the parameters of the stock one.

Nothing of the stock model is changed: its frozen weights and its adapters' factors are read where
they lie, and gradients are added to the factors' `.grad`.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nybble.engine.attention import Rows, choose_attention
from nybble.engine.group import Group, Scratch
from nybble.engine.head import head_loss, tile_tokens
from nybble.engine.host_head import host_head_loss, slice_rows
from nybble.engine.inputs import Inputs
from nybble.engine.layer import Activations, Frame, Layer
from nybble.engine.linear import Linear, read_linear
from nybble.engine.quantized import Quantized
from nybble.engine.shelf import DeviceShelf, HostShelf, Shelf
from nybble.planner.shape import Shape, read_shape

PROJECTIONS = {"qkv": ("q_proj", "k_proj", "v_proj"), "o": ("o_proj",)}
MLP = {"gate_up": ("gate_proj", "up_proj"), "down": ("down_proj",)}


@dataclass(frozen=True)
class Settings:
    """How memory is traded for time; nothing here changes what is learnt.

    `recompute_layers`: so many, from the first on, keep their input alone. The others keep
    everything, or `lean_layers` after them all that norms and SwiGLU do not make again.
    `keep_weights`: the dequantised weights stay. `offload`: kept inputs wait in the host's memory,
    and with `host_vocabulary` the embedding and the head do. `buffer_bytes`: of logits, or of
    dequantised weights, held at once.
    """

    recompute_layers: int = 0
    lean_layers: int = 0
    keep_weights: bool = False
    offload: bool = False
    host_vocabulary: bool = False
    buffer_bytes: int = 256 * 2**20


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
        self.layers = _read_layers(model, inner.layers, shape, settings, self.ops, dtype)
        self.cos, self.sin = rotary_table(inner.rotary_emb, longest)
        self.tile = tile_tokens(self.head.shape[0], self.head.element_size(), settings.buffer_bytes)
        self.dtype = dtype
        self.host: Tensor | None = None
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
        count = self.settings.recompute_layers if scale is not None else 0
        shelf = self._shelf(h, count)
        for number, layer in enumerate(self.layers):
            made = layer.activations(h, delta, frame)
            h, delta = made.h2, layer.output(made)
            if number < count:
                shelf.put(made.h1)
            elif scale is not None:
                lean = number < count + self.settings.lean_layers
                kept.append(made.lean() if lean else made)
            del made
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
            made = kept.pop() if kept else layer.activations(shelf.take(), None, frame)
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
        if self.settings.offload and (self.host is None or self.host.shape[1] < tokens):
            shape = (self.settings.recompute_layers, tokens, self.shape.hidden)
            self.host = torch.empty(shape, dtype=self.dtype, pin_memory=True)
            self.stream = self.stream or torch.cuda.Stream()  # type: ignore[no-untyped-call]
        if rows.aligned:
            self.layers[0].warm_attention(tokens, rows)

    def _shelf(self, h: Tensor, count: int) -> Shelf:
        """Where the inputs like `h` of `count` layers wait."""
        if self.host is None or self.stream is None:
            return DeviceShelf(h.new_empty(count, *h.shape))
        return HostShelf(self.host[:, : h.shape[0]], self.stream)

    def _check_trained(self, model: nn.Module) -> None:
        """The engine makes the gradients of LoRA factors alone."""
        known = {id(f) for g in self.groups for adapter, _ in g.adapters() for f in
                 (adapter.a, adapter.b)}  # fmt: skip
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and id(parameter) not in known:
                raise Unsupported(f"{name} is trained, which is no plain LoRA factor of a linear")


class Unsupported(Exception):  # noqa: N818  # says what the model is, not what went wrong
    """The engine does not compute such a model; the message says why."""


def _read_layers(
    model: nn.Module,
    stock: Any,
    shape: Shape,
    settings: Settings,
    ops: Any,
    dtype: torch.dtype,
) -> list[Layer]:
    adapted = [m for m in model.modules() if isinstance(getattr(m, "lora_A", None), nn.ModuleDict)]
    for module in adapted:
        _check_plain(module)
    numbers = {module: number for number, module in enumerate(adapted)}
    scratch = Scratch()

    def group(owner: Any, names: tuple[str, ...]) -> Group:
        linears = [_checked(read_linear(getattr(owner, name), numbers)) for name in names]
        return Group(linears, ops, scratch, dtype, settings.keep_weights, settings.buffer_bytes)

    layers = []
    for number, block in enumerate(stock):
        attention, mlp = block.self_attn, block.mlp
        parts = {name: group(attention, names) for name, names in PROJECTIONS.items()}
        parts |= {name: group(mlp, names) for name, names in MLP.items()}
        layers.append(
            Layer(
                **parts,
                norm1=block.input_layernorm.weight,
                norm2=block.post_attention_layernorm.weight,
                q_norm=attention.q_norm.weight if shape.qk_norm else None,
                k_norm=attention.k_norm.weight if shape.qk_norm else None,
                shape=shape,
                window=shape.windows[number],
                ops=ops,
                attention=choose_attention(block.input_layernorm.weight.device, dtype),
                last=number == len(stock) - 1,
            )
        )
    return layers


def _checked(linear: Linear) -> Linear:
    weight = linear.weight
    if not isinstance(weight, Quantized) and not weight.is_floating_point():
        raise Unsupported(f"its weights are {weight.dtype}")
    return linear


def _check_plain(module: Any) -> None:
    """Refuse what PEFT's LoRA layers can do beyond LoRA."""
    names = list(module.lora_A.keys())
    if len(names) != 1 or module.merged:
        raise Unsupported("it has several adapters, or merged ones")
    if any(getattr(module, "use_dora", {}).values()):
        raise Unsupported("its adapters are DoRA")
    if getattr(module, "lora_variant", None):
        raise Unsupported("its adapters are a variant of LoRA")
    if module.lora_B[names[0]].bias is not None or len(module.lora_embedding_A):
        raise Unsupported("its adapters have biases or an embedding")


@torch.no_grad()
def rotary_table(rotary: nn.Module, positions: int) -> tuple[Tensor, Tensor]:
    """cos and sin [positions, head_dim / 2] in fp32, as the stock model scales them."""
    device = next(rotary.buffers()).device
    places = torch.arange(positions, device=device)[None]
    cos, sin = rotary(torch.zeros((), device=device, dtype=torch.float32), places)
    half = cos.shape[-1] // 2
    return cos[0, :, :half].contiguous(), sin[0, :, :half].contiguous()
