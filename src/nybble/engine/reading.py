"""A stock model's decoder layers as the engine's: which linears share an input, which a buffer."""

from typing import Any

import torch
from torch import nn

from nybble.engine.attention import choose_attention
from nybble.engine.group import Group, Scratch
from nybble.engine.layer import Layer
from nybble.engine.linear import Linear, read_linear
from nybble.engine.quantized import Quantized
from nybble.engine.settings import Settings, Unsupported
from nybble.planner.shape import Shape

PROJECTIONS = {"qkv": ("q_proj", "k_proj", "v_proj"), "o": ("o_proj",)}
MLP = {"gate_up": ("gate_proj", "up_proj"), "down": ("down_proj",)}


def read_layers(
    model: nn.Module,
    stock: Any,
    shape: Shape,
    settings: Settings,
    ops: Any,
    dtype: torch.dtype,
) -> list[Layer]:
    """The decoder layers `stock` of `model` as groups of linears. Raises `Unsupported` with why."""
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
        parts = {kind: group(attention, names) for kind, names in PROJECTIONS.items()}
        parts |= {kind: group(mlp, names) for kind, names in MLP.items()}
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
