"""Uploading a run's adapter or merged model, with its card, to the Hugging Face Hub.

The token is the one of `nybble.sources.token`. It is never shown.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from nybble.export.card import hub_name, public_recipe, write_card
from nybble.recipe import Recipe
from nybble.runs.atomic import write_json, write_text
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.runs.secrets import masked
from nybble.sources import check_adapter, check_model, parse_reference
from nybble.sources.hub_errors import refused
from nybble.sources.patience import patiently
from nybble.sources.token import hub_token

_CONFIG = "adapter_config.json"
_TOKENS = "https://huggingface.co/settings/tokens"
# merge.json names local paths; the card says what it says.
_KEPT_BACK = ("merge.json", "README.md")


class PushRefusedError(InputError):
    """What trying again does not mend: the token, its rights, or who sees the repository."""


def push(
    folder: RunFolder, recipe: Recipe, to: str, merged: bool, private: bool, revision: str
) -> str:
    """Upload to the repository `to` (owner/name), made when it is not there; gives its address.

    Raises `InputError` when there is nothing to upload, without a token, when the Hub does not let
    this token write there, when the repository is public and `private` was meant, and when the Hub
    cannot be reached.
    """
    check_name(to)
    upload, report = what_to_push(folder, merged)
    card = write_card(folder, recipe, to, report)
    what = "Merged model" if merged else upload.name.capitalize()
    with _staged(upload, card, recipe) as staged:
        return upload_folder(staged, to, "model", private, revision, f"{what} of {recipe.name}")


def upload_folder(
    folder: Path,
    to: str,
    kind: Literal["model", "dataset"],
    private: bool,
    revision: str,
    title: str,
    replaced: str | None = None,
) -> str:
    """Upload `folder` as the repository `to`, made when it is not there; gives its address.

    The repository's files that match `replaced` and are not in `folder` are gone afterwards.
    Raises `InputError` as `push` does.
    """
    from huggingface_hub import HfApi

    api = HfApi(token=push_token())
    with _push_errors(to, revision, kind):
        address = str(
            patiently(lambda: api.create_repo(to, repo_type=kind, private=private, exist_ok=True))
        )
        info = patiently(lambda: api.repo_info(to, repo_type=kind))
        if private and info.private is False:
            raise PushRefusedError(
                f"The repository {to} is there already, and public.",
                "Say --public (in a recipe publish.private=false) to push to it all the same, or "
                "choose another name.",
            )
        if revision != "main":
            patiently(lambda: api.create_branch(to, repo_type=kind, branch=revision, exist_ok=True))
        patiently(
            lambda: api.upload_folder(
                repo_id=to,
                repo_type=kind,
                folder_path=folder,
                revision=revision,
                commit_message=f"{title}, by Nybble",
                delete_patterns=replaced,
            )
        )
    return address


def push_token() -> str:
    """The token to push with. Raises `PushRefusedError` without one."""
    token = hub_token()
    if token is None:
        raise PushRefusedError(
            "There is no Hugging Face token on this machine.",
            f"Log in with `hf auth login` or set HF_TOKEN; make one with write access on {_TOKENS}",
        )
    return token


def check_name(to: str) -> None:
    """Raise `InputError` unless `to` is spelled owner/name."""
    try:
        reference = parse_reference(f"hub:{to}")
    except InputError:
        reference = None
    if reference is None or reference.name != to:
        raise InputError(f"{to!r} is not the name of a repository.", "Write it as owner/name.")


def what_to_push(folder: RunFolder, merged: bool) -> tuple[Path, dict[str, Any] | None]:
    """The folder to upload, and the merged model's report. Raises `InputError` for none."""
    if not merged:
        if folder.model.exists():
            check_model(folder.model)
            return folder.model, None
        if not folder.adapter.exists():
            raise InputError(
                f"{folder.path} is not trained yet.", "Finish it with `nybble resume`."
            )
        check_adapter(folder.adapter)
        return folder.adapter, None
    path = folder.path / "merged"
    if not (path / "merge.json").is_file():
        raise InputError(
            f"{folder.path} has no merged model.", f"Make it with `nybble merge {folder.path}`."
        )
    check_model(path)
    return path, json.loads((path / "merge.json").read_text(encoding="utf-8"))


@contextmanager
def _staged(source: Path, card: str, recipe: Recipe) -> Iterator[Path]:
    """A folder of links to the files of `source`, with the card, and no path of this machine."""
    with tempfile.TemporaryDirectory(prefix="nybble-push-") as name:
        staged = Path(name)
        for path in source.iterdir():
            if path.is_file() and path.name not in (*_KEPT_BACK, _CONFIG):
                (staged / path.name).symlink_to(path.absolute())
        if (source / _CONFIG).is_file():
            config = json.loads((source / _CONFIG).read_text(encoding="utf-8"))
            base = recipe.model.base
            config["base_model_name_or_path"] = hub_name(base) or public_recipe(recipe).model.base
            write_json(staged / _CONFIG, config)
        write_text(staged / "README.md", card)
        yield staged


@contextmanager
def _push_errors(to: str, revision: str, kind: str) -> Iterator[None]:
    """The Hub's refusals of an upload as `InputError`s; all others pass."""
    from huggingface_hub import errors as hub

    try:
        yield
    except InputError:
        raise
    except Exception as error:
        status = error.response.status_code if isinstance(error, hub.HfHubHTTPError) else None
        known = _not_written(status, error, to) or refused(error, to, revision, kind)
        if known is None:
            raise
        # The original would show the request's headers: `from None` keeps them out.
        raise known from None


def _not_written(status: int | None, error: Exception, to: str) -> InputError | None:
    from huggingface_hub import errors as hub

    owner = to.partition("/")[0]
    if isinstance(error, hub.OfflineModeIsEnabled):
        return InputError("HF_HUB_OFFLINE forbids to push.", "Unset HF_HUB_OFFLINE.")
    if status == 401:
        return PushRefusedError(
            f"The Hub does not accept your token for {to}.",
            "It may have expired: log in again with `hf auth login`, or set another HF_TOKEN.",
        )
    if status == 403:
        return PushRefusedError(
            f"Your token may not write to {to}: {_reason(error)}",
            f"Push to a name of your own instead of {owner}/..., or give the token write access "
            f"on {_TOKENS}",
        )
    if status is None and isinstance(error, ConnectionError | TimeoutError):
        return _unreachable(to)
    if type(error).__module__.partition(".")[0] in ("httpx", "httpx2") and status is None:
        return _unreachable(to)
    return None


def _unreachable(to: str) -> InputError:
    return InputError(
        f"The Hub could not be reached to push {to}.",
        "Check the network, then push again: what was uploaded already is not sent twice.",
    )


def _reason(error: Exception) -> str:
    """What the server said, on one line, masked."""
    message = getattr(error, "server_message", None) or "the Hub answered 403"
    return masked(" ".join(str(message).split())).rstrip(".") + "."
