"""From what a recipe names to rows, and to everything being on the disk."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nybble.mini.catalogue import catalogue
from nybble.mini.chats import chats
from nybble.mini.functions import functions
from nybble.mini.style import style
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError
from nybble.sources.arrow_folder import arrow_folder_rows, is_arrow_folder
from nybble.sources.datasets_hub import fetch_dataset, locate_dataset
from nybble.sources.kaggle import kaggle_rows
from nybble.sources.models import find_adapter, find_model
from nybble.sources.reference import parse_reference
from nybble.sources.rows import check_files, read_files, read_rows

BUNDLED_ROWS = 20_000

_BUNDLED: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
    "catalogue": catalogue,
    "functions": functions,
    "chats": chats,
    "python-style": style,
}


def load_rows(source: str, revision: str, limit: int | None) -> Sequence[dict[str, Any]]:
    """The rows of `source`, or its first `limit`; at least one. Those on the disk stay there.

    Bundled data is generated: as many rows as `limit` says, else `BUNDLED_ROWS`. `revision` counts
    for the Hub only. Raises `InputError` for a source that does not exist or has broken rows.
    """
    reference = parse_reference(source)
    if reference.kind == "bundled":
        return list(_generator(reference.name)(BUNDLED_ROWS if limit is None else limit))
    if reference.kind == "path":
        path = Path(reference.name)
        if reference.split is not None or is_arrow_folder(path):
            return arrow_folder_rows(path, reference.split, limit)
        return read_files(reference.name, limit)
    if reference.kind == "kaggle":
        return read_rows(kaggle_rows(reference.name), limit)
    at = reference.revision_or(revision)
    return fetch_dataset(reference.name, at, reference.config, reference.split, limit)


def fetch(recipe: Recipe) -> list[tuple[str, str]]:
    """Have everything that `recipe` names on the disk: what it is, and where it lies.

    Downloads what is on the Hub and checks model and adapter whole; data is downloaded but not
    read. Raises `InputError` for the first thing that is missing or broken.
    """
    part = recipe.model
    found = [("model", str(find_model(part.base, part.revision, part.trust_remote_code)))]
    if part.adapter is not None:
        found.append(("adapter", str(find_adapter(part.adapter))))
    data = recipe.data
    for what, source in (
        *(("train", source) for source in data.train_sources),
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
        if not is_arrow_folder(Path(reference.name)):
            check_files(reference.name)
        return reference.name
    if reference.kind == "kaggle":
        return str(kaggle_rows(reference.name))
    return str(locate_dataset(reference.name, reference.revision_or(revision)))


def _generator(name: str) -> Callable[[int], Iterator[dict[str, Any]]]:
    if name not in _BUNDLED:
        known = ", ".join(f"bundled:{known}" for known in _BUNDLED)
        raise InputError(f"No bundled data is called {name!r}.", f"Known: {known}.")
    return _BUNDLED[name]
