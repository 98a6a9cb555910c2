"""Models and data sets of Kaggle, through kagglehub: an extra, imported only when it is asked for.

Its credentials are its own affair: KAGGLE_USERNAME and KAGGLE_KEY, KAGGLE_API_TOKEN, or the file
that Kaggle's settings page gives, in ~/.kaggle. They are never read or shown here.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError
from nybble.runs.secrets import masked
from nybble.sources.reference import DATA_SUFFIXES

_LOG_IN = "set KAGGLE_USERNAME and KAGGLE_KEY, or put kaggle.json into ~/.kaggle"
_MODEL = "kaggle:owner/model/transformers/variation"


def kaggle_model(handle: str) -> Path:
    """The folder of the model `handle`: owner/model/framework/variation, and perhaps a version.

    Raises `InputError` for Meta's own format, whose Transformers variant is named; without
    kagglehub; and when Kaggle does not give it.
    """
    parts = handle.split("/")
    if len(parts) not in (4, 5):
        raise InputError(f"kaggle:{handle} does not name a model.", f"Write {_MODEL}.")
    if parts[2].lower() == "pytorch":
        raise InputError(
            f"kaggle:{handle} is in Meta's own format (consolidated.*.pth), a pickle.",
            f"Name the Transformers variant: kaggle:{'/'.join([*parts[:2], 'transformers'])}/"
            f"{parts[3]}.",
        )
    return _download("model", handle, "/".join(parts[:2]))


def kaggle_rows(handle: str) -> Path:
    """A file of rows of the data set `handle`: owner/name, or owner/name/file when it has several.

    Raises `InputError` when it holds no file of rows or several, and as `kaggle_model` does.
    """
    owner_name, file = "/".join(handle.split("/")[:2]), "/".join(handle.split("/")[2:])
    if owner_name.count("/") != 1:
        raise InputError(
            f"kaggle:{handle} does not name a data set.", "Write kaggle:owner/name/file.csv."
        )
    folder = _download("dataset", owner_name, owner_name)
    found = sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.suffix.lower() in DATA_SUFFIXES
    )
    if not file and len(found) == 1:
        return folder / found[0]
    if file in found:
        return folder / file
    some = ", ".join(found[:8]) + (" and more" if len(found) > 8 else "")
    raise InputError(
        f"The Kaggle data set {owner_name} has "
        + (f"no file {file}." if file else f"{len(found)} files of rows."),
        f"Name one of {some}, for example kaggle:{owner_name}/{found[0]}."
        if found
        else f"Rows are read from {', '.join(DATA_SUFFIXES)} files.",
    )


def _download(kind: str, handle: str, page: str) -> Path:
    download: Callable[[str], Any] = getattr(_kagglehub(), f"{kind}_download")
    try:
        return Path(download(handle))
    except Exception as error:
        known = _refused(error, kind, handle, page)
        if known is None:
            raise
        # The original would show the request: `from None` keeps it out.
        raise known from None


def _kagglehub() -> Any:
    try:
        return import_module("kagglehub")
    except ModuleNotFoundError:
        raise InputError(
            "What is on Kaggle is downloaded by the package kagglehub, which is not installed.",
            "Install it with `pip install 'nybble[kaggle]'`.",
        ) from None


def _refused(error: Exception, kind: str, handle: str, page: str) -> InputError | None:
    """The two lines for an error of Kaggle or of the way there; None for any other error."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    address = f"https://www.kaggle.com/{kind}s/{page}"
    name = type(error).__name__
    if status == 401 or name in ("CredentialError", "UnauthenticatedError"):
        return InputError(
            f"Kaggle does not accept your credentials for the {kind} {handle}.",
            f"Make a token on https://www.kaggle.com/settings, then {_LOG_IN}.",
        )
    if status == 403:
        return InputError(
            f"Kaggle does not give you the {kind} {handle}: its licence must be accepted first.",
            f"Accept it on {address}, then {_LOG_IN}.",
        )
    if status == 404 or name == "NotFoundError":
        return InputError(f"Kaggle has no {kind} {handle}.", f"Check the spelling on {address}.")
    if status is not None:
        return InputError(
            f"Kaggle answered {status} for the {kind} {handle}.", "Wait a little and try again."
        )
    if isinstance(error, ValueError):
        reason = masked(" ".join(str(error).split())).rstrip(".")
        return InputError(f"kaggle:{handle}: {reason}.", f"Check the name, or {_LOG_IN}.")
    library = type(error).__module__.partition(".")[0]
    if isinstance(error, ConnectionError | TimeoutError) or library in ("requests", "urllib3"):
        return InputError(
            f"Kaggle could not be reached for the {kind} {handle}.",
            "Check the network and try again, or name a local path.",
        )
    return None
