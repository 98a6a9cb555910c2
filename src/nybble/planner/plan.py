"""How a run is laid out on its device: decided before a weight is loaded, from the config alone."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nybble.planner.device import Device
from nybble.planner.precision import compute_dtype
from nybble.recipe.schema import Recipe

# Activations kept of a layer, in elements per token, in units of the hidden and of the MLP width:
# everything (at Llama-3.2-3B's width 90 KB in bf16, the figure measured on an H200), all that norms
# and SwiGLU do not make again, and the layer's input alone.
FULL, LEAN, INPUT = (7.0, 3.0), (5.0, 2.0), (1.0, 0.0)
# Logits, their log-softmax and their gradient, each fp32 [scored tokens, vocabulary].
LOGIT_BYTES = 12
USABLE_SHARE = 0.8
# Bytes of logits held at once: the larger is faster by a little, the smaller for tight memory.
LARGE_TILE_BYTES, SMALL_TILE_BYTES = 256 * 2**20, 64 * 2**20
# Beyond this, larger micro-batches do not run faster; on a CPU they leave the cache.
MOST_MICRO_BATCH_TOKENS = {"cuda": 16_384, "cpu": 2_048}
BYTES_PER_ELEMENT = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)


@dataclass(frozen=True)
class Plan:
    """`micro_batch_tokens`: tokens computed at once, however many rows a step has.

    So many `recompute_layers`, from the first on, keep their input alone and are computed again in
    the backward; the others keep everything or, when `lean`, a third less, which costs next to
    nothing. `keep_weights`: 4-bit weights are dequantised once and stay. `offload`: the inputs kept
    of recomputed layers wait in the host's memory. `logit_tile_bytes`: of logits held at once.
    """

    device: str
    device_name: str
    compute_dtype: str
    weight_bytes: int
    bytes_per_token: int
    micro_batch_tokens: int
    recompute_layers: int
    lean: bool
    keep_weights: bool
    offload: bool
    logit_tile_bytes: int
    reason: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def make_plan(recipe: Recipe, config: Mapping[str, Any], device: Device, longest: int) -> Plan:
    """The plan for `recipe` on `device`, for rows of at most `longest` tokens.

    `config` is the model's config.json. With `train.recompute: auto`, only so many layers are
    recomputed in the backward as the longest row needs to fit.
    """
    dtype = compute_dtype(device, recipe.model.dtype)
    width = BYTES_PER_ELEMENT[dtype]
    layers, hidden, mlp = (
        int(config.get(name) or 0)
        for name in ("num_hidden_layers", "hidden_size", "intermediate_size")
    )
    logits = int(config.get("vocab_size") or 0) * LOGIT_BYTES
    weights = _weight_bytes(config, recipe.model.quantization, width)
    room = max(0, round(device.free_bytes * USABLE_SHARE) - weights)

    def bytes_per_token(recomputed: int, lean: bool) -> int:
        full, least = (
            round((h * hidden + m * mlp) * width) for h, m in (LEAN if lean else FULL, INPUT)
        )
        working = full if recomputed else 0
        return recomputed * least + (layers - recomputed) * full + working + logits

    recomputed, lean = _memory_for_time(
        recipe.train.recompute, layers, lambda *kept: longest * bytes_per_token(*kept) <= room
    )
    per_token = bytes_per_token(recomputed, lean)
    fitting = room // max(1, per_token)
    most = recipe.train.pack_tokens or MOST_MICRO_BATCH_TOKENS[device.kind]
    tokens = max(longest, min(most, fitting))
    unpacked = round(_linear_weights(config) * width)
    limit = "speed" if fitting >= most else "memory"
    return Plan(
        device=device.kind,
        device_name=device.name,
        compute_dtype=dtype,
        weight_bytes=weights,
        bytes_per_token=per_token,
        micro_batch_tokens=tokens,
        recompute_layers=recomputed,
        lean=lean,
        keep_weights=device.kind == "cpu" and tokens * per_token + unpacked <= room,
        offload=recipe.train.offload and device.kind == "cuda",
        logit_tile_bytes=SMALL_TILE_BYTES if recomputed == layers else LARGE_TILE_BYTES,
        reason=f"{tokens:,} tokens at once, limited by {limit}"
        + (f"; {recomputed} of {layers} layers recomputed to fit" if recomputed else ""),
    )


def _memory_for_time(
    asked: str | int, layers: int, fits: Callable[[int, bool], bool]
) -> tuple[int, bool]:
    """How many layers are recomputed, and whether the others are lean: the fastest that fits."""
    if asked != "auto":
        fixed = {"none": (0, False), "lean": (0, True), "all": (layers, True)}
        return fixed[asked] if isinstance(asked, str) else (min(asked, layers), True)
    if fits(0, False):
        return 0, False
    for recomputed in range(layers):
        if fits(recomputed, True):
            return recomputed, True
    return layers, True


def _weight_bytes(config: Mapping[str, Any], quantization: str, width: int) -> int:
    """Weights of a Llama-shaped model: linears by quantisation, embedding and head unquantised."""
    tables = int(config.get("vocab_size") or 0) * int(config.get("hidden_size") or 0)
    if not config.get("tie_word_embeddings", False):
        tables *= 2
    linears = _linear_weights(config)
    return round(linears * (NF4_BYTES if quantization == "nf4" else width) + tables * width)


def _linear_weights(config: Mapping[str, Any]) -> int:
    """Weights of the linears of all layers."""
    hidden, mlp = int(config.get("hidden_size") or 0), int(config.get("intermediate_size") or 0)
    heads = int(config.get("num_attention_heads") or 1)
    head_dim = int(config.get("head_dim") or hidden // heads)
    kv_heads = int(config.get("num_key_value_heads") or heads)
    attention = 2 * hidden * head_dim * (heads + kv_heads)
    return int(config.get("num_hidden_layers") or 0) * (attention + 3 * hidden * mlp)
