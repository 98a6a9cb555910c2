"""How a run is laid out on its device: decided before a weight is loaded, from the config alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nybble.planner.activations import Activations, engine_activations, stock_activations
from nybble.planner.device import Device
from nybble.planner.precision import compute_dtype
from nybble.planner.shape import read_shape
from nybble.recipe.schema import Recipe
from nybble.recipe.train_part import TrainPart

USABLE_SHARE = 0.8
# What torch reserves beyond what is allocated, measured on an H200: 0.29 to 0.35 GB.
SLACK_BYTES = 350_000_000
# Bytes of logits or of dequantised weights held at once: large is faster by a little.
LARGE_BUFFER_BYTES, SMALL_BUFFER_BYTES = 256 * 2**20, 64 * 2**20
# Of logits, of weights, and what cuBLAS works in: together about so many of the large ones.
BUFFERS = 1.5
# Beyond this, larger micro-batches do not run faster; on a CPU they leave the cache.
MOST_MICRO_BATCH_TOKENS = {"cuda": 16_384, "cpu": 2_048}
# So many tokens are worth a leaner layer, and so many a recomputed one.
WORTH_LEAN, WORTH_RECOMPUTING = 4_096, 2_048
BYTES_PER_ELEMENT = {"float32": 4, "bfloat16": 2, "float16": 2}
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
INT8_BYTES = 1.0
# A trained value and its gradient in fp32, and AdamW's two moments; paged ones may leave the GPU.
VALUE_BYTES = 8
MOMENT_BYTES = {
    "adamw_torch_fused": 8.0,
    "adamw_8bit": 2 + 2 * 4 / 256,
    "paged_adamw_8bit": 2 + 2 * 4 / 256,
    "paged_adamw_32bit": 8.0,
}


@dataclass(frozen=True)
class Plan:
    """`micro_batch_tokens`: tokens computed at once, however many rows a step has.

    So many `recompute_layers`, from the first on, keep their input alone and are computed again in
    the backward; so many `lean_layers` after them keep two thirds, which costs next to nothing. So
    many `attention_layers` of the recomputed ones keep attention's part too.
    `keep_weights`: 4-bit weights are dequantised once and stay. `offload`: what recomputed
    layers keep waits in the host's memory; `host_vocabulary`: so do the embedding and the
    head, which is read in slices. `buffer_bytes`: of logits, or of dequantised
    weights, held at once. `planned_bytes`: all of it together, 0 where nobody planned.
    """

    device: str
    device_name: str
    compute_dtype: str
    weight_bytes: int
    bytes_per_token: int
    micro_batch_tokens: int
    recompute_layers: int
    lean_layers: int
    keep_weights: bool
    offload: bool
    host_vocabulary: bool
    buffer_bytes: int
    reason: str
    planned_bytes: int = 0
    attention_layers: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def make_plan(recipe: Recipe, config: Mapping[str, Any], device: Device, longest: int) -> Plan:
    """The plan for `recipe` on `device`, for rows of at most `longest` tokens.

    `config` is the model's config.json. With `train.recompute: auto`, the fastest that fits.
    """
    train = recipe.train
    dtype = compute_dtype(device, recipe.model.dtype)
    width = BYTES_PER_ELEMENT[dtype]
    layers = int(config.get("num_hidden_layers") or 0)
    shape = _why_stock(recipe) or read_shape(config)
    if isinstance(shape, str):
        activations = stock_activations(config, width)
    else:
        activations = engine_activations(shape, width)
    on_gpu = device.kind == "cuda"
    offload = train.offload and on_gpu
    host_vocabulary = train.host_vocabulary and on_gpu and not isinstance(shape, str)
    # Weights that are trained are in fp32, whatever the compute.
    each = width if recipe.lora else BYTES_PER_ELEMENT["float32"]
    weights = _weight_bytes(config, recipe.model.quantization, each)
    weights -= _table_bytes(config, width) if host_vocabulary else 0
    fixed = weights + _trained_bytes(recipe, config)
    fixed += round(BUFFERS * LARGE_BUFFER_BYTES) if on_gpu else 0
    room = max(0, _usable_bytes(device, train.memory_gb) - fixed)
    most = train.pack_tokens or MOST_MICRO_BATCH_TOKENS[device.kind]
    step = max(longest, min(most, train.batch_tokens or train.batch_size * longest))
    fits = _Fit(activations, layers, offload, room)
    recomputed, lean = _memory_for_time(train, layers, fits, step, longest)
    if isinstance(shape, str):
        lean = 0  # a stock model's forward keeps what it keeps
    # The engine keeps none where queries and keys are normed: they are no views of one tensor.
    keeps = not isinstance(shape, str) and not shape.qk_norm
    attention = min(train.keep_attention, recomputed) if keeps else 0
    per_token = activations.per_token(layers, recomputed, lean, offload, attention)
    fitting = room // max(1, per_token)
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
        lean_layers=lean,
        keep_weights=device.kind == "cpu" and tokens * per_token + unpacked <= room,
        offload=offload,
        host_vocabulary=host_vocabulary,
        attention_layers=attention,
        buffer_bytes=SMALL_BUFFER_BYTES if recomputed == layers else LARGE_BUFFER_BYTES,
        reason=f"{tokens:,} tokens at once, limited by {limit}"
        + (f"; {recomputed} of {layers} layers recomputed to fit" if recomputed else ""),
        planned_bytes=fixed + tokens * per_token + SLACK_BYTES,
    )


def flop_per_token(recipe: Recipe, config: Mapping[str, Any]) -> tuple[float, float]:
    """FLOP of training on a token: in the linears of all layers; and in the head, where scored.

    Two for each weight in the forward and two in the backward, and two more where the weight is
    trained. What is computed twice counts once, and attention not at all.
    """
    each = 6.0 if recipe.lora is None else 4.0
    entries = int(config.get("vocab_size") or 0) * int(config.get("hidden_size") or 0)
    return each * _linear_weights(config), each * entries


def _usable_bytes(device: Device, memory_gb: float | None) -> int:
    """What may be taken: of free memory a share, of a given amount all but what torch wastes."""
    if memory_gb is None:
        return round(device.free_bytes * USABLE_SHARE)
    return min(device.free_bytes, round(memory_gb * 1e9)) - SLACK_BYTES


@dataclass(frozen=True)
class _Fit:
    """Whether so many tokens at once fit in `room` bytes."""

    activations: Activations
    layers: int
    offload: bool
    room: int

    def __call__(self, recomputed: int, lean: int, tokens: int) -> bool:
        per_token = self.activations.per_token(self.layers, recomputed, lean, self.offload)
        return tokens * per_token <= self.room


def _memory_for_time(
    train: TrainPart, layers: int, fits: _Fit, step: int, longest: int
) -> tuple[int, int]:
    """How many layers are recomputed, and how many of the others lean: the fastest that fits."""
    asked = train.recompute
    if asked != "auto":
        fixed = {"none": (0, 0), "lean": (0, layers), "all": (layers, 0)}
        recomputed = min(asked, layers) if isinstance(asked, int) else 0
        return fixed[asked] if isinstance(asked, str) else (recomputed, layers - recomputed)
    for worth in (WORTH_LEAN, WORTH_RECOMPUTING):
        tokens = max(longest, min(worth, step))
        for lean in range(layers + 1):
            if fits(0, lean, tokens):
                return 0, lean
    for recomputed in range(1, layers):
        if fits(recomputed, layers - recomputed, tokens):
            return recomputed, layers - recomputed
    return layers, 0


def _why_stock(recipe: Recipe) -> str | None:
    """What the recipe asks for that the engine does not compute, if anything."""
    lora = recipe.lora
    if lora is None:
        return "every weight is trained"
    if lora.variant == "dora" or lora.modules_to_save or recipe.model.new_tokens:
        return "more is trained than plain LoRA factors"
    return "weights of 8 bits" if recipe.model.quantization == "int8" else None


def _trained_bytes(recipe: Recipe, config: Mapping[str, Any]) -> int:
    """What training keeps of all that is trained, beside the weights of a whole model."""
    lora = recipe.lora
    each = VALUE_BYTES + MOMENT_BYTES[recipe.train.optim]
    if lora is None:
        values = _linear_weights(config) + _table_bytes(config, 1)
        return round(values * (each - BYTES_PER_ELEMENT["float32"]))
    tied = bool(config.get("tie_word_embeddings", False))
    whole = sum(name in ("embed_tokens", "lm_head") for name in lora.modules_to_save)
    tables = min(whole, 1) if tied else whole
    rows = tables * int(config.get("vocab_size") or 0)
    rows += len(recipe.model.new_tokens) * (1 if tied else 2)
    widths = _linear_widths(config)
    names = ("q", "k", "v", "o") if lora.target_modules == "attention" else tuple(widths)
    per_rank = sum(sum(widths[name]) for name in names)
    factors = int(config.get("num_hidden_layers") or 0) * lora.r * per_rank
    return round((factors + rows * int(config.get("hidden_size") or 0)) * each)


def _weight_bytes(config: Mapping[str, Any], quantization: str, width: int) -> int:
    """Weights of a Llama-shaped model: linears by quantisation, embedding and head unquantised."""
    each = {"nf4": NF4_BYTES, "fp4": NF4_BYTES, "int8": INT8_BYTES, "none": width}[quantization]
    return round(_linear_weights(config) * each) + _table_bytes(config, width)


def _table_bytes(config: Mapping[str, Any], width: int) -> int:
    """Embedding and head, which may be one."""
    entries = int(config.get("vocab_size") or 0) * int(config.get("hidden_size") or 0)
    return entries * width * (1 if config.get("tie_word_embeddings", False) else 2)


def _linear_weights(config: Mapping[str, Any]) -> int:
    """Weights of the linears of all layers."""
    widths = _linear_widths(config)
    return int(config.get("num_hidden_layers") or 0) * sum(a * b for a, b in widths.values())


def _linear_widths(config: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of a layer's linears."""
    hidden, mlp = int(config.get("hidden_size") or 0), int(config.get("intermediate_size") or 0)
    heads = int(config.get("num_attention_heads") or 1)
    head_dim = int(config.get("head_dim") or hidden // heads)
    query, key = heads * head_dim, int(config.get("num_key_value_heads") or heads) * head_dim
    return {
        "q": (hidden, query), "k": (hidden, key), "v": (hidden, key), "o": (query, hidden),
        "gate": (hidden, mlp), "up": (hidden, mlp), "down": (mlp, hidden),
    }  # fmt: skip
