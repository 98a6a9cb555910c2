"""What the shell offers when tab is pressed; `nybble --install-completion` turns it on.

Runs at every press, so it imports nothing heavy and never asks the Hub. Where nothing fits, the
shell goes on with its own names of files.
"""

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from nybble.recipe import catalogue_names
from nybble.recipe.schema import Recipe, sections
from nybble.runs.folder import RunFolder

BUNDLED_MODEL = "bundled:mini"


def recipe_names(incomplete: str) -> list[str]:
    """Built-in recipes, and YAML files at the path that is being typed."""
    files = [str(path) for path in _below(incomplete) if path.suffix in (".yaml", ".yml")]
    return _beginning(incomplete, [*catalogue_names(), *files])


def fields(incomplete: str) -> list[tuple[str, str]]:
    """Fields of the recipe as `lora.r=`, with what they mean; after the `=`, their fixed values."""
    key, equals, _ = incomplete.partition("=")
    known = _fields()
    if equals and key in known:
        values = [f"{key}={value}" for value in _values(known[key].annotation)]
        return [(value, "") for value in _beginning(incomplete, values)]
    return [
        (f"{name}=", f"{field.description or ''} [{field.get_default()}]".strip())
        for name, field in known.items()
        if name.startswith(incomplete)
    ]


def evaluate_fields(incomplete: str) -> list[tuple[str, str]]:
    """Those fields that `nybble evaluate` takes."""
    return [field for field in fields(incomplete) if field[0].startswith("evaluate.")]


def run_folders(incomplete: str) -> list[str]:
    """Folders of runs at the path that is being typed, and below runs/ for an empty one."""
    found = [*_below(incomplete), *([] if incomplete else _below("runs/"))]
    return [str(path) for path in found if RunFolder(path).recipe.is_file()]


def models(incomplete: str) -> list[str]:
    """The bundled model, and folders that hold a model or an adapter."""
    configs = ("config.json", "adapter_config.json")
    folders = [p for p in _below(incomplete) if any((p / name).is_file() for name in configs)]
    return _beginning(incomplete, [BUNDLED_MODEL, *map(str, folders)])


def runs_and_models(incomplete: str) -> list[str]:
    return [*run_folders(incomplete), *models(incomplete)]


def recipes_and_models(incomplete: str) -> list[str]:
    return [*recipe_names(incomplete), *models(incomplete)]


def _below(incomplete: str) -> list[Path]:
    """What lies on the disk at the path that begins so; a hidden one only when asked for."""
    folder, _, start = incomplete.rpartition("/")
    parent = Path(folder or ("/" if incomplete.startswith("/") else "."))
    if not parent.is_dir():
        return []
    return sorted(
        path
        for path in parent.iterdir()
        if path.name.startswith(start) and (start or not path.name.startswith("."))
    )


def _beginning(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _fields() -> dict[str, Any]:
    """Every field of a recipe by its dotted name."""
    parts = sections()
    plain = {name: field for name, field in Recipe.model_fields.items() if name not in parts}
    inner = ((f"{part}.{name}", field) for part, kind in parts.items()
             for name, field in kind.model_fields.items())  # fmt: skip
    return plain | dict(inner)


def _values(kind: Any) -> list[str]:
    """The values that a field is limited to: those of a Literal, also within a union, or a bool."""
    if kind is bool:
        return ["true", "false"]
    if get_origin(kind) is Literal:
        return [str(value) for value in get_args(kind)]
    return [value for member in get_args(kind) for value in _values(member)]
