"""From what a recipe names to rows, and to everything being on the disk."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nybble.mini.catalogue import catalogue
from nybble.mini.chats import chats
from nybble.mini.functions import functions
from nybble.mini.style import style
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError
from nybble.sources.datasets_hub import fetch_dataset, locate_dataset
from nybble.sources.models import check_adapter, check_model, locate_adapter, locate_model
from nybble.sources.reference import parse_reference
from nybble.sources.rows import check_file, read_rows

BUNDLED_ROWS = 20_000

# `model.revision` is the base model's: an adapter has commits of its own.
_ADAPTER_REVISION = "main"
_BUNDLED: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
    "catalogue": catalogue,
    "functions": functions,
    "chats": chats,
    "python-style": style,
}


def load_rows(source: str, revision: str, limit: int | None) -> list[dict[str, Any]]:
    """The rows of `source`, or its first `limit`; at least one.

    Bundled data is generated: as many rows as `limit` says, else `BUNDLED_ROWS`. `revision` counts
    for the Hub only. Raises `InputError` for a source that does not exist or has broken rows.
    """
    reference = parse_reference(source)
    if reference.kind == "bundled":
        return list(_generator(reference.name)(BUNDLED_ROWS if limit is None else limit))
    if reference.kind == "path":
        return read_rows(Path(reference.name), limit)
    return fetch_dataset(reference.name, revision, reference.config, reference.split, limit)


def fetch(recipe: Recipe) -> list[tuple[str, str]]:
    """Have everything that `recipe` names on the disk: what it is, and where it lies.

    Downloads what is on the Hub and checks model and adapter whole; data is downloaded but not
    read. Raises `InputError` for the first thing that is missing or broken.
    """
    part = recipe.model
    model = locate_model(part.base, part.revision, part.trust_remote_code)
    check_model(model)
    found = [("model", str(model))]
    if part.adapter is not None:
        adapter = locate_adapter(part.adapter, _ADAPTER_REVISION)
        check_adapter(adapter)
        found.append(("adapter", str(adapter)))
    data = recipe.data
    for what, source in (
        ("train", data.train),
        ("validation", data.validation),
        ("test", data.test),
    ):
        if isinstance(source, str):
            found.append((what, _locate_rows(source, data.revision)))
    return found


def _locate_rows(source: str, revision: str) -> str:
    reference = parse_reference(source)
    if reference.kind == "bundled":
        _generator(reference.name)
        return source
    if reference.kind == "path":
        check_file(Path(reference.name))
        return reference.name
    return str(locate_dataset(reference.name, revision))


def _generator(name: str) -> Callable[[int], Iterator[dict[str, Any]]]:
    if name not in _BUNDLED:
        known = ", ".join(f"bundled:{known}" for known in _BUNDLED)
        raise InputError(f"No bundled data is called {name!r}.", f"Known: {known}.")
    return _BUNDLED[name]
