"""What a model is made of and what adapters on it would take: from its config alone."""

from pathlib import Path
from typing import Any

from nybble.planner.architecture import (
    STORAGES,
    Architecture,
    Module,
    adapter_bytes,
    read_architecture,
)
from nybble.recipe import catalogue_names, load_recipe
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError
from nybble.sources.checks import read_config
from nybble.sources.models import locate_config

TARGETS = ("attention", "all-linear")
RANKS = (8, 16, 32, 64, 128, 256)


def inspect(target: str, overrides: list[str]) -> dict[str, Any]:
    """The modules, bytes and LoRA sizes of a model, or of the model of a recipe; as JSON values.

    `target` is a recipe's name or file, or a model: a folder, a Hub repository, bundled:mini. Of a
    repository on the Hub, config.json is downloaded and nothing else. `overrides` are fields of the
    recipe. Raises `InputError` for what cannot be found, and for a family that is not known.
    """
    recipe = load_recipe(target, overrides) if _names_recipe(target) else None
    if recipe is None and overrides:
        raise InputError(
            f"{target} is a model: it has no field {overrides[0].partition('=')[0]}.",
            "Fields can be given with a recipe, such as nybble inspect price-demo lora.r=64.",
        )
    base, revision = (recipe.model.base, recipe.model.revision) if recipe else (target, "main")
    architecture = read_architecture(read_config(locate_config(base, revision)), base)
    presets = [(name, r) for name in TARGETS for r in RANKS]
    return {
        "model": base,
        "model_type": architecture.model_type,
        "parameters": architecture.parameters,
        "quantised_parameters": sum(m.copies * _values(m) for m in architecture.linears),
        "modules": [_module(module) for module in architecture.modules],
        "bytes": {storage: architecture.weight_bytes(storage) for storage in STORAGES},
        "lora": [_lora(architecture, name, r) for name, r in presets],
        "recipe": _recipe(architecture, recipe) if recipe else None,
    }


def _names_recipe(target: str) -> bool:
    """A YAML file, a built-in recipe, or a word that cannot be a model: then its name is wrong."""
    if target.endswith((".yaml", ".yml")) or target in catalogue_names():
        return True
    return "/" not in target and ":" not in target and not Path(target).exists()


def _module(module: Module) -> dict[str, Any]:
    """`parameters` are those of one copy, `copies` one or the number of layers."""
    numbers = f"{{0..{module.copies - 1}}}" if module.copies > 1 else "0"
    return {
        "name": module.path.format(numbers),
        "kind": module.kind,
        "shape": list(module.shape),
        "bias": module.bias,
        "tied": module.tied,
        "copies": module.copies,
        "parameters": module.parameters,
    }


def _values(linear: Module) -> int:
    rows, columns = linear.shape
    return rows * columns


def _lora(architecture: Architecture, targets: str | list[str], r: int) -> dict[str, Any]:
    parameters = architecture.lora_parameters(targets, r)
    return {
        "target_modules": targets,
        "r": r,
        "parameters": parameters,
        "share": parameters / architecture.parameters,
        "adapter_bytes": adapter_bytes(parameters),
    }


def _recipe(architecture: Architecture, recipe: Recipe) -> dict[str, Any]:
    """The recipe's own adapters; none where it goes on from others, whose rank and targets hold."""
    part = recipe.lora
    fixed = recipe.model.adapter or part is None
    own = None if fixed or part is None else _lora(architecture, part.target_modules, part.r)
    return {"name": recipe.name, "adapter": recipe.model.adapter, "lora": own}
