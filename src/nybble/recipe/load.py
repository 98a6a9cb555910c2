"""From a name or a YAML file, with `key=value` overrides, to a checked `Recipe`."""

import difflib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError

# Names that tutorials still use, and today's.
RENAMED = {
    "warmup_ratio": "train.warmup_steps (a value under 1 is a share)",
    "tokenizer": "model.base (its own tokenizer is used)",
    "torch_dtype": "model.dtype",
    "bnb_4bit_compute_dtype": "model.dtype",
    "load_in_4bit": "model.quantization: nf4",
    "evaluation_strategy": "train.eval_steps",
    "eval_strategy": "train.eval_steps",
    "per_device_train_batch_size": "train.batch_size (rows per optimiser step)",
    "gradient_accumulation_steps": "train.batch_size (rows per optimiser step)",
    "group_by_length": "nothing: rows of a step are always batched by length",
    "max_seq_length": "data.max_length",
    "lora_r": "lora.r",
    "epochs": "train.num_train_epochs",
    "lr": "train.learning_rate",
}

# Also what yaml lets through: ValueError for 2020-99-99, RecursionError for deep nesting.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)
_UNKNOWN_KEY = ("extra_forbidden", "invalid_key")


def catalogue_names() -> list[str]:
    """The built-in recipes, in alphabetical order."""
    folder = resources.files("nybble.recipe") / "catalogue"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name[-5:] == ".yaml")


def catalogue_text(name: str) -> str:
    """The YAML of a built-in recipe. Raises `InputError` naming the nearest one."""
    names = catalogue_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise InputError(
            f"No recipe is called {name!r}.",
            f"{hint}`nybble recipes` lists the built-in ones; a file's name ends in .yaml.",
        )
    path = resources.files("nybble.recipe") / "catalogue" / f"{name}.yaml"
    return path.read_text(encoding="utf-8")


def load_recipe(source: str, overrides: list[str] | None = None) -> Recipe:
    """The recipe called or stored at `source`, its fields replaced by `overrides`.

    `source` is a built-in name, or a path that ends in .yaml or .yml or contains a slash.
    Raises `InputError` for everything that is wrong with it: the first problem, its field and file.
    """
    if source.endswith((".yaml", ".yml")) or "/" in source:
        path = Path(source)
        if not path.is_file():
            raise InputError(f"There is no recipe file {source}.", "Check the path.")
        text = _read(path)
    else:
        text = catalogue_text(source)
    return parse_recipe(text, source, overrides or [])


def parse_recipe(text: str, source: str, overrides: list[str]) -> Recipe:
    """Check YAML `text`; `source` is only named in errors."""
    try:
        fields = yaml.safe_load(text)
    except _NOT_YAML as error:
        where = getattr(error, "problem_mark", None)
        line = f" line {where.line + 1}:" if where else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise InputError(f"{source}:{line} not YAML: {problem}.", "Mend the file.") from None
    if not isinstance(fields, dict):
        raise InputError(
            f"{source}: a recipe is a mapping, this is {_kind(fields)}.",
            "Begin with `name:`, `model:` and `data:`; `nybble recipes price-demo` shows one.",
        )
    for override in overrides:
        _override(fields, override)
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        raise _refusal(error, source) from None


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML, every field written out."""
    fields = recipe.model_dump()
    # Unescaped, PyYAML reads these three as other line breaks than it wrote.
    breaks = set("\x85\u2028\u2029") & set(json.dumps(fields, ensure_ascii=False))
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=not breaks, width=100)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from None


def _override(fields: dict[Any, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not all(key.split(".")):
        raise InputError(
            f"Override {override!r} is not of the form key=value.",
            "Write for example lora.r=64 or train.learning_rate=1e-4.",
        )
    *parents, last = key.split(".")
    for parent in parents:
        fields = fields.setdefault(parent, {})
        if not isinstance(fields, dict):
            raise InputError(f"Override {override!r}: {parent} has no fields.", "Check the key.")
    try:
        fields[last] = yaml.safe_load(value)
    except _NOT_YAML:
        fields[last] = value


def _refusal(error: ValidationError, source: str) -> InputError:
    """The first problem of a failed validation, as two lines; unknown keys come first."""
    problems = sorted(error.errors(), key=lambda p: p["type"] not in _UNKNOWN_KEY)
    problem = problems[0]
    # A union's location ends with the name of the member that was tried: not a field of ours.
    path = [str(part) for part in problem["loc"]]
    section, fields = _section_at(path)
    key = ".".join(path[: len(section) + 1])
    if problem["type"] in _UNKNOWN_KEY:
        return _unknown_key(source, section, path[-1], fields)
    if problem["type"] == "missing":
        return InputError(
            f"{source}: {key} is missing.", f"Add it to the recipe, or say {key}=VALUE."
        )
    description = fields[path[len(section)]].description if len(path) > len(section) else None
    messages = [
        p["msg"]
        for p in problems
        if p["loc"][: len(section) + 1] == problem["loc"][: len(section) + 1]
    ]
    reason = " or ".join(dict.fromkeys(m.removeprefix("Value error, ") for m in messages))
    reason = reason[0].lower() + reason[1:]
    return InputError(
        f"{source}: {key or 'recipe'} = {problem['input']!r}: {reason}.",
        f"{key} is: {description}." if description else "Give a value in that range.",
    )


def _section_at(path: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The longest part of `path` that names sections, and the fields of the last of them."""
    model: type[BaseModel] = Recipe
    section: list[str] = []
    for part in path:
        field = model.model_fields.get(part)
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)) or part == path[-1]:
            break
        section.append(part)
        model = kind
    return section, dict(model.model_fields)


def _unknown_key(source: str, section: list[str], key: str, fields: dict[str, Any]) -> InputError:
    name = ".".join([*section, key])
    if key in RENAMED:
        return InputError(f"{source}: unknown key {name}.", f"Today's name is {RENAMED[key]}.")
    near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
    if near:
        fix = f"Did you mean {'.'.join([*section, near[0]])}?"
    else:
        elsewhere = [
            f"{part}.{key}"
            for part, field in Recipe.model_fields.items()
            if key in getattr(field.annotation, "model_fields", {})
        ]
        known = f"Known here: {', '.join(fields)}."
        fix = f"Did you mean {elsewhere[0]}?" if elsewhere else known
    return InputError(f"{source}: unknown key {name}.", fix)


def _kind(value: Any) -> str:
    return {type(None): "empty", list: "a list", str: "a text"}.get(type(value), "a value")
