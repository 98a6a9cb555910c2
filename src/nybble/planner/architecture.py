"""The modules of a model, their shapes and what they take, from its config.json alone.

For the Llama-shaped families, by arithmetic: no torch, and no weights. A causal language model of
theirs is

    model.embed_tokens                            [vocabulary, hidden]
    model.layers.{0..n-1}.self_attn.q_proj        [heads x head_dim, hidden]       also k, v; o
                         .mlp.gate_proj           [intermediate, hidden]           also up; down
                         .input_layernorm         [hidden]                         and one more
    model.norm                                    [hidden]
    lm_head                                       [vocabulary, hidden], or embed_tokens again

and the families differ in biases, norms of queries and keys, and what a config may leave out.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nybble.runs.errors import InputError

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
Storage = Literal["fp32", "bf16", "int8", "nf4", "nf4_nested"]
STORAGES: tuple[Storage, ...] = ("fp32", "bf16", "int8", "nf4", "nf4_nested")

# Weights that share an absmax, and absmaxes that share one of their own (bitsandbytes' defaults).
NF4_BLOCK, NESTED_BLOCK = 64, 256
FP32, BF16 = 4, 2


@dataclass(frozen=True)
class Family:
    """What sets a family apart. A bias of None is what the config says, under `attention_bias`.

    `head_dim` and `kv_heads` hold where the config has no such key; None stands for hidden size
    over heads, and for as many as heads. `windows`: the config may bound what a token sees.
    """

    qkv_bias: bool | None = False
    output_bias: bool | None = False
    mlp_bias: bool | None = False
    qk_norm: bool = False
    windows: bool = False
    head_dim: int | None = None
    kv_heads: int | None = None


# As in transformers' modeling files and configuration defaults of the same names.
FAMILIES = {
    "llama": Family(qkv_bias=None, output_bias=None, mlp_bias=None),
    "mistral": Family(kv_heads=8, windows=True),
    "qwen2": Family(qkv_bias=True, kv_heads=32, windows=True),
    "qwen3": Family(
        qkv_bias=None, output_bias=None, qk_norm=True, head_dim=128, kv_heads=32, windows=True
    ),
}


@dataclass(frozen=True)
class Module:
    """One module with parameters, or one in each of `layers` layers: `{}` is the layer's number.

    `shape` is the weight's. A bias has one value per row of it. `tied`: the weight is another
    module's, and counts there.
    """

    path: str
    kind: Literal["embedding", "linear", "norm", "head"]
    shape: tuple[int, ...]
    bias: bool = False
    tied: bool = False
    layers: int | None = None

    @property
    def parameters(self) -> int:
        """Of one copy."""
        return 0 if self.tied else math.prod(self.shape) + (self.shape[0] if self.bias else 0)

    @property
    def copies(self) -> int:
        return 1 if self.layers is None else self.layers

    @property
    def paths(self) -> Iterator[str]:
        """The full name of every copy."""
        return (self.path.format(number) for number in range(self.copies))


@dataclass(frozen=True)
class Architecture:
    """A model's modules, in the order in which transformers has them."""

    model_type: str
    modules: tuple[Module, ...]

    @property
    def parameters(self) -> int:
        return sum(module.copies * module.parameters for module in self.modules)

    @property
    def linears(self) -> tuple[Module, ...]:
        """What is quantised, and what `all-linear` adapts: all linears but the head."""
        return tuple(module for module in self.modules if module.kind == "linear")

    def weight_bytes(self, storage: Storage) -> int:
        """Bytes of all weights: fp32, bf16, or the linears in `storage` and all else at 16 bits.

        int8: a byte each and an fp32 scale per row (Dettmers et al. 2022). nf4: four bits each and
        an fp32 absmax per 64; nested: an 8-bit absmax per 64, and an fp32 one per 256 of those
        (Dettmers et al. 2023). Tables of code values, about 1 KB per linear, are left out.
        """
        if storage in ("fp32", "bf16"):
            return self.parameters * (FP32 if storage == "fp32" else BF16)
        quantised = sum(m.copies * quantised_bytes(m.shape, storage) for m in self.linears)
        weights = sum(m.copies * math.prod(m.shape) for m in self.linears)
        return quantised + BF16 * (self.parameters - weights)

    def lora_parameters(self, targets: str | list[str], r: int) -> int:
        """Parameters of LoRA adapters: A [r, in] and B [out, r] for every copy that is targeted.

        `targets` as in the recipe: attention, all-linear, or names matched as PEFT does. Raises
        `InputError` when nothing is called so.
        """
        found = sum(r * sum(m.shape) for m in self.modules for path in m.paths
                    if m.kind != "norm" and _targeted(m, path, targets))  # fmt: skip
        if not found:
            names = dict.fromkeys(m.path.rpartition(".")[2] for m in self.linears)
            raise InputError(
                f"lora.target_modules = {targets!r}: the model has no such modules.",
                f"It has {', '.join(sorted(names))}; all-linear takes all of these.",
            )
        return found


def adapter_bytes(parameters: int) -> int:
    """An adapter of so many parameters on the disk: fp32, without the file's header."""
    return FP32 * parameters


def quantised_bytes(shape: tuple[int, ...], storage: Storage) -> int:
    """Bytes of one quantised weight with its scales: int8, nf4 or nf4_nested."""
    values = math.prod(shape)
    if storage == "int8":
        return values + FP32 * shape[0]
    packed, blocks = -(-values // 2), -(-values // NF4_BLOCK)
    if storage == "nf4":
        return packed + FP32 * blocks
    # The mean of the absmaxes is taken off before they are quantised: one more number.
    return packed + blocks + FP32 * -(-blocks // NESTED_BLOCK) + FP32


def read_architecture(config: Mapping[str, Any], where: str) -> Architecture:
    """The modules of the causal language model with this config.json.

    `where` is named in errors. Raises `InputError` for a family that is not known here, and for a
    config that lacks a size or has a nonsensical one.
    """
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise InputError(
            f"{where}: the shapes of models of type {model_type!r} are not known here.",
            f"Known are the families {', '.join(FAMILIES)}.",
        )
    family = FAMILIES[model_type]
    hidden, heads, vocabulary = (
        _size(config, name, where) for name in ("hidden_size", "num_attention_heads", "vocab_size")
    )
    layers = _size(config, "num_hidden_layers", where)
    tied = bool(config.get("tie_word_embeddings", False))
    inner = (
        _attention(config, family, hidden, heads, where)
        + _mlp(config, family, hidden, where)
        + [Module("input_layernorm", "norm", (hidden,)),
           Module("post_attention_layernorm", "norm", (hidden,))]
    )  # fmt: skip
    table = (vocabulary, hidden)
    return Architecture(model_type, (
        Module("model.embed_tokens", "embedding", table),
        *(Module(f"model.layers.{{}}.{m.path}", m.kind, m.shape, m.bias, False, layers)
          for m in inner),
        Module("model.norm", "norm", (hidden,)),
        Module("lm_head", "head", table, tied=tied),
    ))  # fmt: skip


def _attention(
    config: Mapping[str, Any], family: Family, hidden: int, heads: int, where: str
) -> list[Module]:
    head_dim = _size_or(config, "head_dim", family.head_dim or hidden // heads, where)
    left_out = "num_key_value_heads" not in config and family.kv_heads
    kv_heads = _size_or(config, "num_key_value_heads", left_out or heads, where)
    said = bool(config.get("attention_bias", False))
    qkv_bias = said if family.qkv_bias is None else family.qkv_bias
    output_bias = said if family.output_bias is None else family.output_bias
    modules = [
        Module("self_attn.q_proj", "linear", (heads * head_dim, hidden), qkv_bias),
        Module("self_attn.k_proj", "linear", (kv_heads * head_dim, hidden), qkv_bias),
        Module("self_attn.v_proj", "linear", (kv_heads * head_dim, hidden), qkv_bias),
        Module("self_attn.o_proj", "linear", (hidden, heads * head_dim), output_bias),
    ]
    norms = ("q_norm", "k_norm") if family.qk_norm else ()
    return modules + [Module(f"self_attn.{name}", "norm", (head_dim,)) for name in norms]


def _mlp(config: Mapping[str, Any], family: Family, hidden: int, where: str) -> list[Module]:
    width = _size(config, "intermediate_size", where)
    said = bool(config.get("mlp_bias", False))
    bias = said if family.mlp_bias is None else family.mlp_bias
    return [
        Module("mlp.gate_proj", "linear", (width, hidden), bias),
        Module("mlp.up_proj", "linear", (width, hidden), bias),
        Module("mlp.down_proj", "linear", (hidden, width), bias),
    ]


def _size(config: Mapping[str, Any], name: str, where: str) -> int:
    value = config.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        problem = f"{name} = {value!r} is no size" if name in config else f"{name} is missing"
        raise InputError(f"{where}: {problem}.", "Copy or download the model's config.json again.")
    return value


def _size_or(config: Mapping[str, Any], name: str, default: int, where: str) -> int:
    return default if config.get(name) is None else _size(config, name, where)


def _targeted(module: Module, path: str, targets: str | list[str]) -> bool:
    if targets == "all-linear":
        return module.kind == "linear"
    names = ATTENTION if targets == "attention" else targets
    return any(path == name or path.endswith(f".{name}") for name in names)
