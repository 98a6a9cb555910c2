"""What must be the same when a training goes on, and how a difference is told."""

from collections.abc import Mapping
from typing import Any

from nybble.recipe.references import map_references
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError
from nybble.sources import absolute

# How often is looked, saved and told, and how memory is used, changes nothing of what is learnt.
FREE = ("eval_steps", "save_steps", "save_strategy", "save_total_limit", "recompute",
        "keep_attention", "memory_gb", "offload", "host_vocabulary", "pack_tokens", "report_to",
        "project", "run_name", "logging_steps", "load_best_model_at_end",
        "early_stopping_patience", "early_stopping_threshold")  # fmt: skip


def identity_of(recipe: Recipe) -> dict[str, Any]:
    """The fields of model, adapters and optimisation that decide what is learnt.

    Paths are absolute, as in the recipe that a run writes down to be resumed by.
    """
    recipe = map_references(recipe, absolute)
    parts = recipe.model_dump(mode="json", include={"model", "lora", "train"})
    adapters = "none, the whole model" if recipe.lora is None else "lora"
    return {"adapters": adapters} | {
        f"{part}.{name}": value
        for part, fields in parts.items()
        for name, value in (fields or {}).items()
        if not (part == "train" and name in FREE)
    }


def check_same_training(where: str, then: tuple[str, int], now: tuple[str, int]) -> None:
    """Raise `InputError` where the fingerprint of the rows or the number of steps differs."""
    for what, was, is_now in (
        ("training rows", then[0][:12], now[0][:12]),
        ("number of steps", then[1], now[1]),
    ):
        if was != is_now:
            raise InputError(
                f"{where}: the {what} changed since ({was} then, {is_now} now).",
                "Restore what it was trained on, or begin anew with `nybble run`.",
            )


def check_identity(where: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise `InputError` with every field that differs, as it was and as it is."""
    changed = [
        f"{name} ({then[name]} then, {now[name]} now)"
        for name in now
        if name in then and then[name] != now[name]
    ]
    if changed:
        raise InputError(
            f"{where}: the recipe changed since: {', '.join(changed)}.",
            "Restore recipe.yaml as it was, or begin anew with `nybble run`.",
        )
