"""What a recipe names as a model, an adapter or data: bundled, on the disk, or on the Hub.

bundled:mini                     shipped with Nybble
data/items.jsonl, ~/models/mine  on the disk
owner/name, hub:owner/name       a repository on the Hugging Face Hub
owner/name:config#split          one configuration and one split of a data set there
"""

import os
import re
from dataclasses import dataclass
from typing import Literal

from nybble.runs.errors import InputError

DATA_SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")

_PATH_STARTS = ("./", "../", "/", "~")
_HUB = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*/[\w.-]+)(:(?P<config>[^:#/]+))?(#(?P<split>[^#/]+))?", re.ASCII
)
_FORMS = (
    "Name a file or folder, a Hub repository as owner/name, or something bundled: bundled:mini."
)


@dataclass(frozen=True)
class Reference:
    """Where something is. `config` and `split` are those of a data set on the Hub."""

    kind: Literal["bundled", "path", "hub"]
    name: str
    config: str | None = None
    split: str | None = None


def parse_reference(text: str) -> Reference:
    """The reference that `text` spells; a `~` is expanded. Nothing is opened or downloaded.

    What exists on the disk is a path, even when it could be the name of a repository. Raises
    `InputError` for anything that is neither bundled, a path, nor a repository's name.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "bundled":
        return Reference("bundled", rest)
    if colon and scheme == "kaggle":
        raise InputError(
            f"{text}: data and models from Kaggle are not supported yet.",
            "Download it by hand and name the file or folder.",
        )
    if colon and scheme == "hub":
        return _hub(rest, text)
    if text.startswith(_PATH_STARTS) or text.lower().endswith(DATA_SUFFIXES) or _exists(text):
        # Path.expanduser raises for an unknown user, and Path.exists for a name that is too long.
        return Reference("path", os.path.expanduser(text))  # noqa: PTH111
    return _hub(text, text)


def absolute(text: str) -> str:
    """`text`, made absolute where it is a path: it then names the same from every folder."""
    reference = parse_reference(text)
    return os.path.abspath(reference.name) if reference.kind == "path" else text  # noqa: PTH100


def _hub(name: str, text: str) -> Reference:
    match = _HUB.fullmatch(name)
    if match is None:
        raise InputError(
            f"{text!r} is no file or folder here, and not the name of a Hub repository.", _FORMS
        )
    return Reference("hub", match["name"], match["config"], match["split"])


def _exists(text: str) -> bool:
    return text != "" and os.path.exists(text)  # noqa: PTH110
