"""The folder of a model or an adapter, and whether all that is needed lies in it.

Weights are safetensors and nothing else: pickled ones can run code when they are opened, so they
are neither downloaded nor loaded.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError
from nybble.sources.reference import parse_reference
from nybble.sources.snapshot import snapshot
from nybble.sources.weights import check_not_pointer, check_safetensors

BUNDLED_MODELS = ("mini",)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")

_PAPERS = ("README.md", "LICENSE*")
_MODEL_FILES = ("*.safetensors", "*.json", "tokenizer.model", "*.txt", "*.jinja", *_PAPERS)
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", *_PAPERS)
# Folders hold other formats or checkpoints, consolidated files the same weights a second time.
_NEVER = ("*/*", "consolidated*.safetensors")
_INDEX = "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pickle", ".pkl")
_CONVERT = (
    "Pickled weights (.bin, .pt) can run code and are not loaded: convert them to safetensors, "
    "for example on https://huggingface.co/spaces/safetensors/convert."
)


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
    _json_object(folder / "config.json")
    weights = sorted(folder.glob("*.safetensors"))
    shards = _shards(folder)
    if not weights and not shards:
        raise _no_weights(folder, "*.safetensors")
    for path in sorted({*weights, *shards}):
        check_safetensors(path)
    tokenizers = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    if not tokenizers:
        raise InputError(
            f"{folder} has no tokenizer: none of {', '.join(TOKENIZER_FILES)}.",
            "Save the model's tokenizer into the same folder.",
        )
    for path in tokenizers:
        check_not_pointer(path)


def check_adapter(folder: Path) -> None:
    """Raise `InputError` unless `folder` holds a whole adapter in PEFT's format."""
    _check_folder(folder)
    if not (folder / "adapter_config.json").is_file() and (folder / "adapter").is_dir():
        raise InputError(
            f"{folder} is not an adapter: it has no adapter_config.json.",
            f"The adapter of this run is {folder / 'adapter'}.",
        )
    _json_object(folder / "adapter_config.json")
    weights = folder / "adapter_model.safetensors"
    if not weights.is_file():
        raise _no_weights(folder, weights.name)
    check_safetensors(weights)


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
    return snapshot(reference.name, revision, "model", files, never=_NEVER)


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


def _json_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path.parent} has no {path.name}.", "Name the folder that holds it.")
    check_not_pointer(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}.", "Copy or download it again.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a JSON object.", "Copy or download it again.")
    return value


def _shards(folder: Path) -> set[Path]:
    """The files that the index names, all of them there; none without an index."""
    index = folder / _INDEX
    if not index.is_file():
        return set()
    weight_map = _json_object(index).get("weight_map")
    names = list(weight_map.values()) if isinstance(weight_map, dict) else []
    # A name with a slash could point anywhere on the disk.
    if not names or not all(isinstance(name, str) and "/" not in name for name in names):
        raise InputError(f"{index} does not map tensors to files.", "Copy or download it again.")
    shards = {folder / name for name in names}
    missing = sorted(path.name for path in shards if not path.is_file())
    if missing:
        raise InputError(
            f"{folder} lacks {len(missing)} of the {len(shards)} files that {_INDEX} names: "
            f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}.",
            "Copy or download the missing files.",
        )
    return shards


def _no_weights(folder: Path, wanted: str) -> InputError:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    found = f", only pickled ones: {pickles[0]}" if pickles else ""
    return InputError(f"{folder} has no weights in {wanted}{found}.", _CONVERT)
