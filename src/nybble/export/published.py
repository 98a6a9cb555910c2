"""A run as it lies on the Hub: what a repository holds of it, and whether that came whole.

    README.md, adapter_config.json, adapter_model.safetensors    loads in plain PEFT; or
    README.md, config.json, model.safetensors                    a whole model, in transformers
    nybble/recipe.yaml, plan.json, environment.json, ...         what `nybble resume` needs
    nybble/checkpoints/checkpoint-N/                             the newest, until the end
    nybble/files.json                                            the SHA-256 of each of these

Each push is a commit, so an older save is had by its revision. Paths of this machine stay here.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from nybble.export.card import hub_name, public_recipe, without_folders, write_card
from nybble.recipe import Recipe, dump_recipe
from nybble.runs.atomic import write_json, write_text
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.training.manifest import MANIFEST, renew_manifest

RUN = "nybble"
FILES = "files.json"
_CONFIG, _STATE = "adapter_config.json", "trainer_state.json"
_AUDIT = "data/audit.json"
_RECORDS = ("plan.json", "metrics.jsonl", "seeds/asked.json")
# What training alone needs of a checkpoint.
_OF_TRAINING = ("optimizer.safetensors", _STATE, MANIFEST)


def stage_run(
    folder: RunFolder, recipe: Recipe, name: str, scratch: Path, checkpoint: Path | None
) -> None:
    """Put into `scratch` what the repository `name` is to hold, its card included.

    With `checkpoint` that save, else the finished adapter. Large files are linked, not copied, so
    that they stay when the training removes the checkpoint.
    """
    run = scratch / RUN
    write_text(run / "recipe.yaml", dump_recipe(public_recipe(recipe)))
    for record in _RECORDS:
        if (folder.path / record).is_file():
            write_text(run / record, (folder.path / record).read_text(encoding="utf-8"))
    if (folder.path / _AUDIT).is_file():
        write_json(run / _AUDIT, _public_audit(folder.read(_AUDIT)))
    environment = folder.read("environment.json")
    environment.pop("command", None)  # may hold paths
    write_json(run / "environment.json", environment)
    step = None
    if checkpoint:
        step = int(checkpoint.name.rpartition("-")[2])
        saved = run / "checkpoints" / checkpoint.name
        _link_files(_files(checkpoint), saved, recipe)
        if (saved / _CONFIG).is_file():
            renew_manifest(saved, _CONFIG)
        _forget_paths(saved / _STATE)
        renew_manifest(saved, _STATE)
        trained = [path for path in _files(checkpoint) if path.name not in _OF_TRAINING]
        _link_files(trained, scratch, recipe)
    else:
        _link_files(_files(folder.trained), scratch, recipe)
    write_text(scratch / "README.md", write_card(folder, recipe, name, step=step))


def list_files(scratch: Path) -> None:
    """Write the checksums of what `stage_run` put into `scratch`.

    Gigabytes take seconds to read, which a training shall not wait for: hence apart.
    """
    run = scratch / RUN
    listed = [path for path in sorted(run.rglob("*")) if path.is_file() and path.name != FILES]
    sums = {path.relative_to(run).as_posix(): _sha256(path) for path in listed}
    write_json(run / FILES, {"finished": not (run / "checkpoints").exists(), "sha256": sums})


def check_published(run: Path, name: str) -> list[str]:
    """The files of the run `name` that lies in `run`, each compared with its checksum.

    Raises `InputError` when it is no run, is finished, or lacks a file or holds another one.
    """
    try:
        listed: dict[str, Any] = json.loads((run / FILES).read_text(encoding="utf-8"))
        sums, finished = dict(listed["sha256"]), bool(listed["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{name} does not hold a run to go on with.",
            "Name a repository that `publish.hub` of a recipe pushed to.",
        ) from None
    if finished:
        raise InputError(
            f"The run of {name} is finished.",
            "Begin from its adapter with model.adapter, or name an earlier commit after an @.",
        )
    for file, expected in sums.items():
        parts = PurePosixPath(file).parts
        if ".." in parts or PurePosixPath(file).is_absolute() or "\\" in file:
            raise InputError(f"{name}: {file!r} leads out of the run's folder.", "Do not trust it.")
        if not (run / file).is_file() or _sha256(run / file) != expected:
            raise InputError(
                f"{name}: {file} did not come whole.",
                "Try again; if that does not help, name an earlier commit after an @.",
            )
    return list(sums)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_file()]


def _link_files(files: list[Path], target: Path, recipe: Recipe) -> None:
    """Link `files` into `target`; an adapter's configuration may name its base by no path."""
    target.mkdir(parents=True, exist_ok=True)
    base = hub_name(recipe.model.base) or public_recipe(recipe).model.base
    for path in files:
        if path.name == _CONFIG:
            config = json.loads(path.read_text(encoding="utf-8"))
            if config.get("base_model_name_or_path") != base:
                write_json(target / _CONFIG, config | {"base_model_name_or_path": base})
                continue
        _link(path, target / path.name)


def _public_audit(audit: dict[str, Any]) -> dict[str, Any]:
    sources = [s | {"source": without_folders(s["source"])} for s in audit.get("sources", [])]
    return audit | ({"sources": sources} if sources else {})


def _forget_paths(state: Path) -> None:
    """Leave out which local model or adapter it was: elsewhere they lie in other folders."""
    told: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
    identity = dict(told.get("identity", {}))
    for name in ("model.base", "model.adapter"):
        if identity.get(name) and without_folders(identity[name]) != identity[name]:
            del identity[name]
    write_json(state, told | {"identity": identity})


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links, or another one
        shutil.copyfile(source, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
