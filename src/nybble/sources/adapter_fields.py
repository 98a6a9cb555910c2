"""Whether a recipe asks for other adapters than the ones it goes on from."""

from pathlib import Path
from typing import Any

from nybble.recipe.schema import LoraPart
from nybble.runs.errors import InputError
from nybble.sources.checks import read_object

CONFIG = "adapter_config.json"
_ATTENTION = ["k_proj", "o_proj", "q_proj", "v_proj"]


def check_lora_fields(part: LoraPart, folder: Path) -> None:
    """Raise `InputError` for a field of `lora` that differs from the adapter's own in `folder`.

    An adapter's rank, scale and modules are part of its weights: what a recipe says beside them
    would be ignored. Fields that have their default value say nothing.
    """
    config = read_object(folder / CONFIG)
    own = _fields(config)
    default = LoraPart()
    for name, value in own.items():
        asked = getattr(part, name)
        if asked == getattr(default, name) or _same(asked, value):
            continue
        tables = name == "modules_to_save" and config.get("ensure_weight_tying")
        if tables and _one_table(asked) == _one_table(value):
            continue
        raise InputError(
            f"lora.{name} = {asked}, but the adapter {folder} that is gone on from has {value}.",
            f"Leave lora.{name} out, or leave out model.adapter to begin with new adapters.",
        )


def base_of_adapter(folder: Path) -> str:
    """The model that the adapter in `folder` says it was trained on."""
    base = read_object(folder / CONFIG).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise InputError(
            f"{folder / CONFIG} names no base model.",
            "Add base_model_name_or_path to it, or name the run that the adapter belongs to.",
        )
    return base


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    """The recipe's fields as PEFT's configuration has them; those that it lacks are left out."""
    names = {"r": "r", "lora_alpha": "lora_alpha", "lora_dropout": "lora_dropout"}
    fields = {ours: config[theirs] for ours, theirs in names.items() if theirs in config}
    targets = config.get("target_modules")
    if isinstance(targets, list):
        fields["target_modules"] = sorted(map(str, targets))
    if "use_rslora" in config:
        fields["variant"] = "rslora" if config["use_rslora"] else "lora"
    if config.get("use_dora"):
        fields["variant"] = "dora"
    fields["modules_to_save"] = sorted(config.get("modules_to_save") or [])
    return fields


def _one_table(names: list[str]) -> list[str]:
    """`names` where embedding and head are one table, which PEFT calls by its path, too."""
    ends = ("embed_tokens", "lm_head")
    return sorted({ends[0] if n.rpartition(".")[2] in ends else n for n in names})


def _same(asked: Any, own: Any) -> bool:
    if asked == "attention":
        return bool(own == _ATTENTION)
    return bool((sorted(asked) if isinstance(asked, list) else asked) == own)
