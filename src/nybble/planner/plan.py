"""How a run is laid out on its device: decided before a weight is loaded, from the config alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nybble.planner.device import Device
from nybble.planner.precision import compute_dtype
from nybble.recipe.schema import Recipe

# Activations that autograd keeps, in elements per token and layer, in units of the hidden and of
# the MLP width. At Llama-3.2-3B's width this is 90 KB in bf16, the figure measured on an H200.
HIDDEN_UNITS, MLP_UNITS = 7.0, 3.0
# Logits, their log-softmax and their gradient, each fp32 [scored tokens, vocabulary].
LOGIT_BYTES = 12
USABLE_SHARE = 0.8
# Beyond this, larger micro-batches do not run faster; on a CPU they leave the cache.
MOST_MICRO_BATCH_TOKENS = {"cuda": 16_384, "cpu": 2_048}
BYTES_PER_ELEMENT = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)


@dataclass(frozen=True)
class Plan:
    """`micro_batch_tokens`: padded tokens computed at once, however many rows a step has."""

    device: str
    device_name: str
    compute_dtype: str
    weight_bytes: int
    bytes_per_token: int
    micro_batch_tokens: int
    recompute: bool
    reason: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def make_plan(recipe: Recipe, config: Mapping[str, Any], device: Device, longest: int) -> Plan:
    """The plan for `recipe` on `device`, for rows of at most `longest` tokens.

    `config` is the model's config.json. All layers are recomputed in the backward only when the
    longest row would not fit otherwise.
    """
    dtype = compute_dtype(device, recipe.model.dtype)
    width = BYTES_PER_ELEMENT[dtype]
    layers, hidden, mlp = (
        int(config.get(name) or 0)
        for name in ("num_hidden_layers", "hidden_size", "intermediate_size")
    )
    vocabulary = int(config.get("vocab_size") or 0)
    per_layer = round((HIDDEN_UNITS * hidden + MLP_UNITS * mlp) * width)
    per_token = layers * per_layer + vocabulary * LOGIT_BYTES
    weights = _weight_bytes(config, recipe.model.quantization, width)
    room = max(0, round(device.free_bytes * USABLE_SHARE) - weights)
    recompute = room < longest * per_token
    if recompute:
        per_token = per_layer + layers * hidden * width + vocabulary * LOGIT_BYTES
    most = MOST_MICRO_BATCH_TOKENS[device.kind]
    fitting = room // max(1, per_token)
    tokens = max(longest, min(most, fitting))
    limit = "speed" if fitting >= most else "memory"
    return Plan(
        device=device.kind,
        device_name=device.name,
        compute_dtype=dtype,
        weight_bytes=weights,
        bytes_per_token=per_token,
        micro_batch_tokens=tokens,
        recompute=recompute,
        reason=f"{tokens:,} tokens at once, limited by {limit}"
        + ("; layers recomputed in the backward to fit" if recompute else ""),
    )


def _weight_bytes(config: Mapping[str, Any], quantization: str, width: int) -> int:
    """Weights of a Llama-shaped model: linears by quantisation, embedding and head unquantised."""
    hidden, mlp = int(config.get("hidden_size") or 0), int(config.get("intermediate_size") or 0)
    heads = int(config.get("num_attention_heads") or 1)
    head_dim = int(config.get("head_dim") or hidden // heads)
    kv_heads = int(config.get("num_key_value_heads") or heads)
    attention = 2 * hidden * head_dim * (heads + kv_heads)
    linears = int(config.get("num_hidden_layers") or 0) * (attention + 3 * hidden * mlp)
    tables = int(config.get("vocab_size") or 0) * hidden
    if not config.get("tie_word_embeddings", False):
        tables *= 2
    return round(linears * (NF4_BYTES if quantization == "nf4" else width) + tables * width)
