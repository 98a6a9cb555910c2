"""What `nybble compare` was asked to compare, found and checked before any weights are loaded.

runs/demo                     the adapter of a run
adapter:owner/name            an adapter: a folder or on the Hub; a local folder of one needs no
                              `adapter:`
bundled:mini, owner/model     a model without adapters
openai:MODEL@https://HOST/v1  a model behind a URL
reference:ridge               what needs no language model; reference:all for all of them
people:answers.csv            what people answered: rows with `row` and `answer`
NAME=ANY OF THESE             under another name
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nybble.generation.remote_reference import RemoteReference, is_remote, parse_remote
from nybble.recipe import Recipe, load_recipe
from nybble.recipe.schema import ModelPart
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.sources import find_adapter, find_model
from nybble.sources.adapter_fields import base_of_adapter
from nybble.sources.models import locate_model

PEOPLE, REFERENCE, ADAPTER = "people:", "reference:", "adapter:"
_NAMED = re.compile(r"(?P<name>[^=:/\\]+)=(?P<rest>.+)", re.DOTALL)


@dataclass(frozen=True)
class Local:
    """A model on this machine, with the adapter in `adapter_folder` or none. `run` is whose it is.

    `recipe` says which base it is of, how that is held, and in which form it is asked.
    """

    name: str
    recipe: Recipe
    model_folder: Path
    adapter_folder: Path | None
    run: RunFolder | None = None


@dataclass(frozen=True)
class Remote:
    """A model behind a URL."""

    name: str
    reference: RemoteReference


@dataclass(frozen=True)
class Guesser:
    """A reference that needs no language model, or `all` of them."""

    name: str
    which: str


@dataclass(frozen=True)
class People:
    """Answers that people wrote into a file."""

    name: str
    path: Path


Named = Local | Remote | Guesser | People


def read_named(texts: Sequence[str], data: Recipe | None) -> tuple[list[Named], Recipe]:
    """What `texts` name, and the recipe whose test rows they are compared on: `data`, else that of
    the first run among them.

    Raises `InputError` for two of one name, what is not there, and rows of no recipe.
    """
    runs = [folder for text in texts if (folder := _run(_parted(text)[1]))]
    if data is None and not runs:
        raise InputError(
            "None of these is a run, so there are no test rows to compare on.",
            "Name a run, or the rows with --data RECIPE.",
        )
    rows = data or load_recipe(str(runs[0].recipe.absolute()))
    found = [_read(text, rows, own_form=data is None) for text in texts]
    twice = [name for name, n in Counter(one.name for one in found).items() if n > 1]
    if twice:
        raise InputError(
            f"Two of these are called {twice[0]!r}.", f"Name one of them anew: other={twice[0]}."
        )
    return found, rows


def _parted(text: str) -> tuple[str | None, str]:
    """The name that is given, if any, and what is named."""
    if Path(text).expanduser().exists():
        return None, text
    named = _NAMED.fullmatch(text)
    return (named["name"], named["rest"]) if named else (None, text)


def _run(text: str) -> RunFolder | None:
    folder = RunFolder(Path(text).expanduser())
    return folder if folder.recipe.is_file() else None


def _read(text: str, rows: Recipe, own_form: bool) -> Named:
    given, rest = _parted(text)
    if is_remote(rest):
        reference = parse_remote(rest)
        return Remote(given or reference.name, reference)
    if rest.startswith(PEOPLE):
        path = Path(rest.removeprefix(PEOPLE)).expanduser()
        return People(given or path.stem, path)
    if rest.startswith(REFERENCE):
        which = rest.removeprefix(REFERENCE)
        return Guesser(given or which, which)
    run = _run(rest)
    if run is not None:
        return _of_run(given or run.path.resolve().name, run, rows, own_form)
    if rest.startswith(ADAPTER) or (Path(rest).expanduser() / "adapter_config.json").is_file():
        return _of_adapter(given, rest.removeprefix(ADAPTER), rows)
    model = ModelPart(base=rest, quantization=rows.model.quantization, dtype=rows.model.dtype)
    return _local(given or rest, rows.model_copy(update={"model": model}), None)


def _of_run(name: str, run: RunFolder, rows: Recipe, own_form: bool) -> Local:
    """What a run trained, asked in the form that it was trained on; where the rows are another
    recipe's, in the form of that one."""
    if not run.trained.exists():
        raise InputError(f"{run.path} is not trained yet.", "Finish it with `nybble resume`.")
    own = load_recipe(str(run.recipe.absolute()))
    if own.lora is None:  # the whole model was trained: it is a model of its own
        part = {"base": str(run.model.absolute()), "revision": "main", "new_tokens": []}
        own = own.model_copy(update={"model": own.model.model_copy(update=part)})
    recipe = own if own_form else rows.model_copy(update={"model": own.model})
    recipe = recipe.model_copy(update={"evaluate": rows.evaluate})
    adapter = str(run.adapter.absolute()) if own.lora else None
    return replace(_local(name, recipe, adapter), run=run)


def _of_adapter(given: str | None, reference: str, rows: Recipe) -> Local:
    """An adapter, on the model that it names as its base."""
    folder = find_adapter(reference)
    base = base_of_adapter(folder)
    own = locate_model(rows.model.base, rows.model.revision, rows.model.trust_remote_code)
    if base in (rows.model.base, str(own.resolve())):
        recipe = rows
    else:
        model = ModelPart(base=base, quantization=rows.model.quantization, dtype=rows.model.dtype)
        recipe = rows.model_copy(update={"model": model})
    return _local(given or reference.rstrip("/").rpartition("/")[2], recipe, reference)


def _local(name: str, recipe: Recipe, adapter: str | None) -> Local:
    part = recipe.model
    folder = find_model(part.base, part.revision, part.trust_remote_code)
    return Local(name, recipe, folder, find_adapter(adapter) if adapter else None)
