"""From a name or a YAML file, with `key=value` overrides, to a checked `Recipe`."""

import difflib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from nybble.recipe.refusal import refusal
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError

# Also what yaml lets through: ValueError for 2020-99-99, RecursionError for deep nesting.
_NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)


class _OneOfEachKey(yaml.SafeLoader):
    """PyYAML's safe loader, but a key that stands twice is an error: else the last one wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value!r} stands twice", problem_mark=key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


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
        _check_no_suffix_forgotten(source)
        text = catalogue_text(source)
    return parse_recipe(text, source, overrides or [])


def parse_recipe(text: str, source: str, overrides: list[str]) -> Recipe:
    """Check YAML `text`; `source` is only named in errors."""
    try:
        fields = yaml.load(text, Loader=_OneOfEachKey)
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
        raise refusal(error, source) from None


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML, every field written out."""
    fields = recipe.model_dump()
    # Unescaped, PyYAML reads these three as other line breaks than it wrote.
    breaks = set("\x85\u2028\u2029") & set(json.dumps(fields, ensure_ascii=False, default=str))
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=not breaks, width=100)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from None


def _check_no_suffix_forgotten(source: str) -> None:
    """Point at a file that is called like `source`, where that is no built-in recipe's name."""
    if source in catalogue_names():
        return
    for file in (f"{source}.yaml", f"{source}.yml", f"./{source}"):
        if source and Path(file).is_file():
            raise InputError(f"No recipe is called {source!r}.", f"Did you mean the file {file}?")


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
        parsed = yaml.safe_load(value)
    except _NOT_YAML:
        parsed = value
    # To YAML the template {title} is a mapping, from title to nothing.
    is_template = isinstance(parsed, dict) and None in parsed.values()
    fields[last] = value if is_template else parsed
    if key in ("data.prompt", "data.completion") and "\\n" in str(fields[last]):
        raise InputError(
            f"Override {override!r} holds a backslash and an n, not a line break.",
            f"Write {key}=$'...\\n...' in bash or zsh, or set it in the recipe's file.",
        )


def _kind(value: Any) -> str:
    return {type(None): "empty", list: "a list", str: "a text"}.get(type(value), "a value")
