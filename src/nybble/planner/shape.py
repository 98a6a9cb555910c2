"""The shape of a model that the engine computes itself, from its config.json alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nybble.planner.architecture import FAMILIES


@dataclass(frozen=True)
class Shape:
    """Widths and counts of a model, from its config; `windows` has an entry for each layer."""

    hidden: int
    mlp: int
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    qk_norm: bool
    windows: tuple[int | None, ...]

    @property
    def layers(self) -> int:
        return len(self.windows)

    @property
    def query_width(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_dim


def read_shape(config: Mapping[str, Any]) -> Shape | str:
    """The shape of a model with this `config`, or why the engine cannot compute it."""
    name = str(config.get("model_type"))
    family = FAMILIES.get(name)
    if family is None:
        return f"{name} is not one of {', '.join(FAMILIES)}"
    if config.get("hidden_act") != "silu":
        return f"its activation is {config.get('hidden_act')}, not silu"
    if config.get("attention_dropout"):
        return f"its attention drops out a share of {config['attention_dropout']}"
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", "default")
    if kind not in ("default", "llama3", "linear", "yarn"):
        return f"its rotary embedding ({kind}) changes with the length of the text"
    layers, heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
    return Shape(
        hidden=int(config["hidden_size"]),
        mlp=int(config["intermediate_size"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or config["hidden_size"] // heads),
        eps=float(config["rms_norm_eps"]),
        qk_norm=family.qk_norm,
        windows=_windows(config, layers) if family.windows else (None,) * layers,
    )


def _windows(config: Mapping[str, Any], layers: int) -> tuple[int | None, ...]:
    window = config.get("sliding_window")
    if not window or config.get("use_sliding_window") is False:
        return (None,) * layers
    kinds = config.get("layer_types") or ["sliding_attention"] * layers
    return tuple(int(window) if kind == "sliding_attention" else None for kind in kinds)
