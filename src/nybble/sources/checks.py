"""What a folder needs to be a model or an adapter, file by file, each opened and looked at.

Reads configuration, tokenizer files and the headers of the weights; no weight is read. The checks
are generated one by one, so that who only wants to know whether all is well can stop at the first
that fails.
"""

import json
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from nybble.runs.errors import InputError
from nybble.sources.weights import AGAIN, check_not_pointer, check_safetensors

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
OPTIONAL_FILES = ("generation_config.json", "tokenizer_config.json")

_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pickle", ".pkl")
_CONVERT = (
    "Pickled weights (.bin, .pt) can run code and are not loaded: convert them to safetensors, "
    "for example on https://huggingface.co/spaces/safetensors/convert."
)


@dataclass(frozen=True)
class Check:
    """One file: what was found in it, and the error where it is missing or broken.

    `spared`: it is not there and need not be. An optional file that is there must be whole.
    """

    file: str
    found: str
    error: InputError | None = None
    spared: bool = False

    @property
    def status(self) -> Literal["ok", "note", "error"]:
        if self.error:
            return "error"
        return "note" if self.spared else "ok"


def model_checks(folder: Path) -> Iterator[Check]:
    """The checks of a model's folder: config, every file of weights, tokenizer, optional files."""
    yield _check(folder / "config.json", lambda path: str(read_object(path).get("model_type", "")))
    yield from _weights(folder)
    yield from _tokenizer(folder)
    for name in OPTIONAL_FILES:
        if (folder / name).is_file():
            yield _check(folder / name, _object_size)
        else:
            yield Check(name, "not there, and not needed", spared=True)


def adapter_checks(folder: Path) -> Iterator[Check]:
    """The checks of a folder with an adapter in PEFT's format: its configuration and weights."""
    yield _check(
        folder / "adapter_config.json", lambda path: str(read_object(path).get("peft_type", ""))
    )
    weights = folder / "adapter_model.safetensors"
    if weights.is_file():
        yield _check(weights, _tensors)
    else:
        yield Check(weights.name, "missing", _no_weights(folder, weights.name))


def read_config(folder: Path) -> dict[str, Any]:
    """The model's config.json. Raises `InputError` when it is missing or not a JSON object."""
    return read_object(folder / "config.json")


def _check(path: Path, look: Callable[[Path], str]) -> Check:
    try:
        return Check(path.name, look(path))
    except InputError as error:
        found = error.message.removeprefix(f"{path} ") if path.is_file() else "missing"
        return Check(path.name, found, error)


def _weights(folder: Path) -> Iterator[Check]:
    index = folder / _INDEX
    shards: dict[Path, set[str]] = {}
    if index.is_file():
        try:
            shards = _shards(index)
            yield Check(_INDEX, f"names {len(shards)} files")
        except InputError as error:
            yield Check(_INDEX, error.message.removeprefix(f"{index} "), error)
    files = sorted({*shards, *folder.glob("*.safetensors")})
    if files and not index.is_file() and folder / _WEIGHTS not in files:
        yield Check(_INDEX, "missing", _no_index(folder, files[0].name))
    missing = sorted(path.name for path in shards if not path.is_file())
    for path in files:
        if path.name in missing:
            yield Check(path.name, "missing", _lacks(folder, missing, len(shards)))
        else:
            yield _check(path, partial(_tensors, named=shards.get(path, set())))
    if not files:
        yield Check("*.safetensors", "missing", _no_weights(folder, "*.safetensors"))


def _tokenizer(folder: Path) -> Iterator[Check]:
    names = [name for name in TOKENIZER_FILES if (folder / name).is_file()]
    for name in names:
        yield _check(folder / name, _object_size if name == "tokenizer.json" else _size)
    if not names:
        error = InputError(
            f"{folder} has no tokenizer: none of {', '.join(TOKENIZER_FILES)}.",
            "Save the model's tokenizer into the same folder.",
        )
        others = " and ".join(TOKENIZER_FILES[1:])
        yield Check(TOKENIZER_FILES[0], f"missing, and so are {others}", error)


def _tensors(path: Path, named: Set[str] = frozenset()) -> str:
    """Raises `InputError` where the file lacks a tensor that the index has `named`."""
    tensors = check_safetensors(path)
    missing = sorted(named - tensors)
    if missing:
        raise InputError(
            f"{path} lacks {len(missing):,} of the {len(named):,} tensors that {_INDEX} says it "
            f"holds: {', '.join(missing[:2])}{', ...' if len(missing) > 2 else ''}.",
            f"Copy or download it and {_INDEX} again, both of the same revision.",
        )
    return f"{len(tensors):,} tensors, {_size(path)}"


def _object_size(path: Path) -> str:
    read_object(path)
    return _size(path)


def _size(path: Path) -> str:
    check_not_pointer(path)
    return f"{path.stat().st_size:,} bytes"


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises `InputError` when it is missing or something else."""
    if not path.is_file():
        raise InputError(f"{path.parent} has no {path.name}.", "Name the folder that holds it.")
    check_not_pointer(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}.", AGAIN) from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a JSON object.", AGAIN)
    return value


def _shards(index: Path) -> dict[Path, set[str]]:
    """The files of weights that the index names, there or not, each with its tensors' names."""
    weight_map = read_object(index).get("weight_map")
    weight_map = weight_map if isinstance(weight_map, dict) else {}
    names = list(weight_map.values())
    # A name with a slash could point anywhere on the disk.
    if not names or not all(isinstance(name, str) and "/" not in name for name in names):
        raise InputError(f"{index} does not map tensors to files.", AGAIN)
    shards: dict[Path, set[str]] = {}
    for tensor, name in weight_map.items():
        shards.setdefault(index.parent / name, set()).add(tensor)
    return shards


def _lacks(folder: Path, missing: list[str], shards: int) -> InputError:
    return InputError(
        f"{folder} lacks {len(missing)} of the {shards} files that {_INDEX} names: "
        f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}.",
        "Copy or download the missing files.",
    )


def _no_index(folder: Path, found: str) -> InputError:
    return InputError(
        f"{folder} has {found}, but neither {_WEIGHTS} nor {_INDEX}: it would not be loaded.",
        f"Copy or download {_INDEX}, or the other files if they are missing too.",
    )


def _no_weights(folder: Path, wanted: str) -> InputError:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickles:
        found = f"{folder} has no weights in {wanted}, only pickled ones: {pickles[0]}."
        return InputError(found, _CONVERT)
    return InputError(f"{folder} has no weights in {wanted}.", "Copy or download its safetensors.")
