"""Files of a repository on the Hub, at one revision, in the Hub's cache on this disk."""

from pathlib import Path
from typing import Literal

from nybble.runs.errors import InputError
from nybble.runs.secrets import masked
from nybble.sources.hub_errors import hub_errors
from nybble.sources.patience import patiently
from nybble.sources.token import hub_token


def snapshot(
    name: str,
    revision: str,
    kind: Literal["model", "dataset"],
    files: tuple[str, ...],
    never: tuple[str, ...] = (),
) -> Path:
    """The folder with those of the repository's files that match `files` and not `never`.

    What is in the cache is not downloaded again, and is enough when the Hub cannot be reached.
    Raises `InputError` when repository or revision do not exist, are gated, or cannot be reached.
    """
    from huggingface_hub import constants, snapshot_download

    # Else every process asks the Hub for a list of agents, to report one of them and torch's
    # version. The environment variable is read only once, by whoever imported the library first.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    with hub_errors(name, revision, kind):
        return Path(
            patiently(
                lambda: snapshot_download(
                    name,
                    repo_type=kind,
                    revision=revision,
                    allow_patterns=list(files),
                    ignore_patterns=list(never),
                    token=hub_token(),
                ),
                breaks=True,
            )
        )


def cached_snapshot(name: str, revision: str) -> Path:
    """The folder of the model repository `name` in the Hub's cache, whatever of it is there.

    Raises `InputError` when nothing of it was ever downloaded at `revision`. Read from the cache's
    documented layout: `snapshot_download` refuses to name a folder that is not complete.
    """
    from huggingface_hub import constants

    cached = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    branch = cached / "refs" / revision
    commit = branch.read_text(encoding="utf-8").strip() if branch.is_file() else revision
    folder = cached / "snapshots" / commit
    if not commit or not folder.is_dir():
        raise InputError(
            f"The model {name} at {masked(revision)} is not on this disk.",
            "`nybble fetch RECIPE` downloads what a recipe names; or name a local folder.",
        )
    return folder
