"""The folder of a model or an adapter, and whether all that is needed lies in it.

Weights are safetensors and nothing else: pickled ones can run code when they are opened, so they
are neither downloaded nor loaded.
"""

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from nybble.runs.errors import InputError
from nybble.sources.checks import Check, adapter_checks, model_checks
from nybble.sources.kaggle import kaggle_model
from nybble.sources.reference import parse_reference
from nybble.sources.snapshot import cached_snapshot, snapshot

BUNDLED_MODELS = ("mini",)

_PAPERS = ("README.md", "LICENSE*")
_MODEL_FILES = ("*.safetensors", "*.json", "tokenizer.model", "*.txt", "*.jinja", *_PAPERS)
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", *_PAPERS)
# Folders hold other formats or checkpoints, consolidated files the same weights a second time.
_NEVER = ("*/*", "consolidated*.safetensors")


def locate_model(base: str, revision: str, remote_code: bool = False) -> Path:
    """The folder of the model `base`, downloaded first when it is on the Hub.

    `revision` is the Hub's branch, tag or commit. Python files come along only with `remote_code`.
    Raises `InputError` when there is no such model; what is in the folder is not looked at.
    """
    files = (*_MODEL_FILES, "*.py") if remote_code else _MODEL_FILES
    return _locate(base, revision, files)


def locate_adapter(name: str, revision: str) -> Path:
    """The folder of the adapter `name`: a path, or downloaded from the Hub at `revision`."""
    return _locate(name, revision, _ADAPTER_FILES)


def find_model(base: str, revision: str, remote_code: bool = False) -> Path:
    """The folder of the model `base`, whole: located, downloaded where needed, and checked."""
    folder = locate_model(base, revision, remote_code)
    check_model(folder)
    return folder


def find_adapter(name: str) -> Path:
    """The folder of the adapter `name`, whole; `owner/name@revision` pins it."""
    # `model.revision` is the base model's: an adapter has commits of its own.
    folder = locate_adapter(name, "main")
    check_adapter(folder)
    return folder


def locate_config(base: str, revision: str) -> Path:
    """A folder with the config.json of `base`; of the Hub's files, only that one is fetched."""
    return _locate(base, revision, ("config.json",))


def locate_on_disk(name: str, revision: str) -> Path:
    """The folder of the model or adapter `name` as it is on this disk: nothing is downloaded.

    Raises `InputError` when the repository `name` was never downloaded at `revision`.
    """
    reference = parse_reference(name)
    if reference.kind == "hub":
        return cached_snapshot(reference.name, reference.revision_or(revision))
    return _locate(name, revision, ())


def check_model(folder: Path) -> None:
    """Raise `InputError` for the first thing that keeps the model in `folder` from loading.

    Reads configuration and headers, never weights: config, every weights file whole, every shard
    of the index there, a tokenizer.
    """
    _check_folder(folder)
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise InputError(
            f"{folder} is an adapter, not a model.",
            "Name it as model.adapter, and the model that it was trained on as model.base.",
        )
    if (folder / "params.json").is_file() and any(folder.glob("consolidated.*.pth")):
        raise InputError(
            f"{folder} is in Meta's own format (params.json and consolidated.*.pth), a pickle.",
            "Name the model's Transformers variant, for example "
            "kaggle:metaresearch/llama-3.2/transformers/3b or meta-llama/Llama-3.2-3B.",
        )
    _raise_first(model_checks(folder))


def check_adapter(folder: Path) -> None:
    """Raise `InputError` unless `folder` holds a whole adapter in PEFT's format."""
    _check_folder(folder)
    if not (folder / "adapter_config.json").is_file() and (folder / "adapter").is_dir():
        raise InputError(
            f"{folder} is not an adapter: it has no adapter_config.json.",
            f"The adapter of this run is {folder / 'adapter'}.",
        )
    _raise_first(adapter_checks(folder))


def _raise_first(checks: Iterable[Check]) -> None:
    for check in checks:
        if check.error:
            raise check.error


def _locate(text: str, revision: str, files: tuple[str, ...]) -> Path:
    reference = parse_reference(text)
    if reference.config or reference.split:
        raise InputError(f"{text}: only data sets have configurations and splits.", "Leave it out.")
    if reference.kind == "bundled":
        return _bundled(reference.name)
    if reference.kind == "path":
        folder = Path(reference.name)
        _check_folder(folder)
        return folder
    if reference.kind == "kaggle":
        return kaggle_model(reference.name)
    at = reference.revision_or(revision)
    return snapshot(reference.name, at, "model", files, never=_NEVER)


def _bundled(name: str) -> Path:
    if name not in BUNDLED_MODELS:
        known = ", ".join(f"bundled:{known}" for known in BUNDLED_MODELS)
        raise InputError(f"No bundled model is called {name!r}.", f"Known: {known}.")
    return Path(str(resources.files("nybble.mini") / "model"))


def _check_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    problem = "is a file, not a folder" if folder.exists() else "does not exist"
    raise InputError(f"{folder} {problem}.", "Name the folder that holds config and weights.")
