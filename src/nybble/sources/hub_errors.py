"""What the Hub refuses, said so that a person can act on it.

`huggingface_hub` raises some twenty kinds of errors, with whole URLs and request ids in their
texts; a few of them mean the same to whoever waits for a download.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from nybble.runs.errors import InputError
from nybble.runs.secrets import masked

_LOG_IN = "log in with `hf auth login` or set HF_TOKEN"


@contextmanager
def hub_errors(name: str, revision: str, kind: str = "model") -> Iterator[None]:
    """Turn the Hub's errors inside the block into `InputError`s; all others pass.

    `name` and `revision` are what was asked for, `kind` is "model" or "dataset".
    """
    try:
        yield
    except Exception as error:
        refusal = refused(error, name, revision, kind)
        if refusal is None:
            raise
        # The original would show the URL and headers of the request: `from None` keeps them out.
        raise refusal from None


def refused(error: Exception, name: str, revision: str, kind: str) -> InputError | None:
    """The two lines for an error of the Hub or of the way there; None for any other error."""
    from huggingface_hub import errors as hub

    cause = error.__cause__
    if isinstance(error, hub.LocalEntryNotFoundError) and isinstance(cause, Exception):
        # snapshot_download looks in the cache when the Hub fails; why it failed is the cause.
        known = refused(cause, name, revision, kind)
        if known is not None:
            return known
    if isinstance(error, hub.GatedRepoError):
        return _gated(name, kind)
    if isinstance(error, hub.RepositoryNotFoundError):
        return InputError(
            f"The Hub has no {kind} {name}, or does not show it to you.",
            f"Check the spelling; for a private one, {_LOG_IN}; a local path must exist.",
        )
    if isinstance(error, hub.RevisionNotFoundError):
        return InputError(
            f"The {kind} {name} has no revision {masked(revision)}.",
            "Name a branch, a tag or a full commit hash; `main` is the usual branch.",
        )
    if isinstance(error, hub.HFValidationError):
        return InputError(
            f"{name} is not the name of a repository: {_line(error)}", "Write it as owner/name."
        )
    if isinstance(error, hub.OfflineModeIsEnabled):
        return InputError(
            f"The {kind} {name} at {masked(revision)} is not on this disk, and HF_HUB_OFFLINE "
            "forbids to download it.",
            "Unset HF_HUB_OFFLINE, or name a local folder.",
        )
    if isinstance(error, hub.HfHubHTTPError):
        return _http(error.response.status_code, error, name, kind)
    if isinstance(error, hub.LocalEntryNotFoundError | hub.FileMetadataError) or _network(error):
        return InputError(
            f"The Hub could not be reached for the {kind} {name}: {_line(error)}",
            "Check the network and try again (whole files are kept), or name a local path.",
        )
    return None


def _gated(name: str, kind: str) -> InputError:
    place = "datasets/" if kind == "dataset" else ""
    return InputError(
        f"The {kind} {name} is gated: its owner wants a licence to be accepted first.",
        f"Accept it on https://huggingface.co/{place}{name}, then {_LOG_IN}.",
    )


def _http(status: int, error: Exception, name: str, kind: str) -> InputError:
    if status == 401:
        return InputError(
            f"The Hub does not accept your token for the {kind} {name}.",
            "It may have expired: log in again with `hf auth login`, or set another HF_TOKEN.",
        )
    if status == 403:
        return InputError(
            f"Your token may not read the {kind} {name}.",
            "Give it read access to this repository on https://huggingface.co/settings/tokens.",
        )
    return InputError(
        f"The Hub answered {status} for the {kind} {name}: {_line(error)}",
        "Wait a little and try again (whole files are kept).",
    )


def _network(error: Exception) -> bool:
    # The HTTP library under huggingface_hub has changed its name with the versions.
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, ConnectionError | TimeoutError) or library in ("httpx", "httpx2")


def _line(error: Exception) -> str:
    """The first line of an error that says something, masked and ending in a full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return masked(lines[0] if lines else type(error).__name__).rstrip(".") + "."
