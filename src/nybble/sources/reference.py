"""What a recipe names as a model, an adapter or data: bundled, on the disk, or on the Hub.

bundled:mini                     shipped with Nybble
data/items.jsonl, ~/models/mine  on the disk
owner/name, hub:owner/name       a repository on the Hugging Face Hub
owner/name@revision              the same at a branch, tag or commit
owner/name:config#split          one configuration and one split of a data set there
rows/*.jsonl                     several files on the disk
saved, saved#test                a folder that `datasets` saved, and one split of it
kaggle:owner/name/file.csv       a file of a data set on Kaggle
kaggle:owner/model/transformers/variation      a model there
"""

import os
import re
from dataclasses import dataclass
from typing import Literal

from nybble.runs.errors import InputError
from nybble.runs.secrets import masked

DATA_SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")

_PATH_STARTS = ("./", "../", "/", "~")
_HUB = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<revision>\w[\w./-]*))?"
    r"(:(?P<config>[^:#/]+))?(#(?P<split>[^#/]+))?",
    re.ASCII,
)
# A name's parts may not be . or .., which would lead out of the folder that is downloaded.
_KAGGLE = re.compile(r"(?!\.)[\w-][\w.-]*(/(?!\.)[\w. ()-]+){1,}", re.ASCII)
_FORMS = (
    "Name a file or folder, a Hub repository as owner/name, or something bundled: bundled:mini."
)


@dataclass(frozen=True)
class Reference:
    """Where something is. `config` and `split` are those of a data set, `revision` the Hub's."""

    kind: Literal["bundled", "path", "hub", "kaggle"]
    name: str
    config: str | None = None
    split: str | None = None
    revision: str | None = None

    def revision_or(self, other: str) -> str:
        """The revision that is asked for, where `other` is that of a field or option beside it.

        Raises `InputError` when both name one, and not the same.
        """
        if self.revision and other not in ("main", self.revision):
            raise InputError(
                f"{self.name} is asked for at {masked(self.revision)} and at {masked(other)}.",
                "Name one revision only: after the @, or beside it.",
            )
        return self.revision or other


def parse_reference(text: str) -> Reference:
    """The reference that `text` spells; a `~` is expanded. Nothing is opened or downloaded.

    What exists on the disk is a path, even when it could be the name of a repository. Raises
    `InputError` for anything that is neither bundled, a path, nor a repository's name.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "bundled":
        return Reference("bundled", rest)
    if colon and scheme == "kaggle":
        if not _KAGGLE.fullmatch(rest):
            raise InputError(
                f"{text} does not name anything on Kaggle.",
                "Write kaggle:owner/name, or kaggle:owner/model/transformers/variation.",
            )
        return Reference("kaggle", rest)
    if colon and scheme == "hub":
        return _hub(rest, text)
    folder, hash_, split = text.rpartition("#")
    if hash_ and split and not _exists(text) and os.path.isdir(_home(folder)):  # noqa: PTH112
        return Reference("path", _home(folder), None, split)
    if _looks_like_path(text) or _exists(text):
        return Reference("path", _home(text))
    return _hub(text, text)


def absolute(text: str) -> str:
    """`text`, made absolute where it is a path: it then names the same from every folder."""
    reference = parse_reference(text)
    if reference.kind != "path":
        return text
    split = f"#{reference.split}" if reference.split else ""
    return os.path.abspath(reference.name) + split  # noqa: PTH100


def _hub(name: str, text: str) -> Reference:
    match = _HUB.fullmatch(name)
    if match is None:
        raise InputError(
            f"{text!r} is no file or folder here, and not the name of a Hub repository.", _FORMS
        )
    return Reference("hub", match["name"], match["config"], match["split"], match["revision"])


def _looks_like_path(text: str) -> bool:
    return text.startswith(_PATH_STARTS) or text.lower().endswith(DATA_SUFFIXES) or "*" in text


def _home(text: str) -> str:
    # Path.expanduser raises for an unknown user, and Path.exists for a name that is too long.
    return os.path.expanduser(text)  # noqa: PTH111


def _exists(text: str) -> bool:
    return text != "" and os.path.exists(text)  # noqa: PTH110
