"""The run folder: where everything about a run lies, and under which name.

runs/NAME-TIME/
  recipe.yaml            as resolved: every field, defaults and overrides included
  environment.json       versions, device, commit, fingerprint of the data
  plan.json              what the planner chose, and why
  data/                  counts of rows, and what was dropped
  metrics.jsonl          one line per optimiser step or evaluation
  checkpoints/checkpoint-N/
  adapter/               PEFT's own format, the tokenizer beside it; or, where there are no
  model/                 adapters, the whole model in transformers' format
  evaluation/            predictions of each model, comparison.json
"""

import contextlib
import itertools
import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nybble.runs.atomic import write_json, write_text
from nybble.runs.errors import InputError
from nybble.runs.lock import check_not_locked
from nybble.runs.place import place_here

RUNS = Path("runs")


@dataclass(frozen=True)
class RunFolder:
    """Names inside one run's folder."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def trained(self) -> Path:
        """What the training gives: model/ where the whole model was trained, else adapter/."""
        return self.model if self.model.exists() else self.adapter

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation"

    @property
    def comparison(self) -> Path:
        return self.evaluation / "comparison.json"

    def write(self, name: str, value: Any) -> None:
        """Write `value` as JSON under `name`, atomically."""
        write_json(self.path / name, value)

    def read(self, name: str) -> Any:
        """The JSON value under `name`. Raises `InputError` when it is missing."""
        path = self.path / name
        if not path.is_file():
            raise InputError(
                f"{self.path} has no {name}.", "Name the folder of a run that got that far."
            )
        return json.loads(path.read_text(encoding="utf-8"))

    def newest_checkpoint(self) -> Path | None:
        """The checkpoint of the highest step, or None."""
        return next(reversed(checkpoints_in(self.checkpoints)), None)

    def way_on(self) -> str:
        """What can be done after the work was stopped, in a sentence."""
        checkpoint = self.newest_checkpoint()
        if self.trained.exists():
            left = f"the trained {self.trained.name}"
        elif checkpoint:
            left = f"step {checkpoint.name[11:]}"
        else:
            return "It had no checkpoint yet (train.save_steps), so nothing is left of it."
        return f"`nybble resume {self.path}` goes on from {left}."

    def discard_if_empty_handed(self) -> None:
        """Remove a folder that holds nothing to resume from and nothing that was trained."""
        if self.newest_checkpoint() is None and not self.trained.exists():
            shutil.rmtree(self.path, ignore_errors=True)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, in the order of their steps."""
    found = [path for path in folder.glob("checkpoint-*") if path.name[11:].isdigit()]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """The step of a checkpoint, which its name says."""
    return int(checkpoint.name[11:])


def check_output(output: Path | None, replace: bool) -> None:
    """Refuse an output folder that cannot be taken, before any work is done. Writes nothing.

    With `replace`, a folder is taken only when a run left it: it has a recipe.yaml. Of processes
    that train together only the first writes to it, so only that one looks.
    """
    if not place_here().leads:
        return
    if output is None:
        check_not_below_file(RUNS / "new")
        return
    check_not_below_file(output)
    if not output.exists():
        return
    if not replace:
        check_not_locked(output)
        raise InputError(
            f"The output folder {output} exists already.",
            "Choose another with --output DIR, or say --replace to overwrite an earlier run.",
        )
    if not output.is_dir() or (any(output.iterdir()) and not RunFolder(output).recipe.is_file()):
        raise InputError(
            f"{output} is not the folder of a run, so it is not replaced.",
            "Choose another place with --output DIR.",
        )
    check_not_locked(output)


def check_new(output: Path) -> None:
    """Refuse a folder `output` that is there already, where nothing is ever replaced."""
    check_not_below_file(output)
    if output.exists():
        raise InputError(
            f"The output folder {output} exists already.",
            "Remove it, or choose another with --output DIR.",
        )


def check_not_below_file(output: Path) -> None:
    """Refuse an output folder that cannot be made because a file lies on the way to it."""
    above = next(parent for parent in output.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError(
            f"The output folder {output} cannot be made: {above} is a file.",
            "Choose another with --output DIR.",
        )


def create_run_folder(name: str, output: Path | None, replace: bool, recipe: str) -> RunFolder:
    """Make `output`, or runs/NAME-TIME, with its recipe.yaml in it."""
    check_output(output, replace)
    if output is None:
        output = _claimed(RUNS / f"{name}-{datetime.now():%Y%m%d-%H%M%S}")
    else:
        if output.exists():
            _empty(output)
        else:
            _make(output)
    folder = RunFolder(output)
    write_text(folder.recipe, recipe)
    return folder


def _empty(output: Path) -> None:
    """Remove what is in the folder `output`, the recipe last: until then it is that of a run.

    The folder itself stays: it may be mounted there, or `output` a link to it.
    """
    for path in sorted(output.iterdir(), key=lambda path: path == RunFolder(output).recipe):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _make(output: Path) -> None:
    """Make the folder `output`, unless another process was faster since it was looked for."""
    try:
        output.mkdir(parents=True)
    except FileExistsError:
        raise InputError(
            f"Another process has just made {output}.", "Choose another with --output DIR."
        ) from None


def _claimed(path: Path) -> Path:
    """Make the folder `path`, or PATH-2, PATH-3, ... where other runs of this second were first."""
    for number in itertools.count(1):
        free = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with contextlib.suppress(FileExistsError):
            free.mkdir(parents=True)
            return free
    raise AssertionError


def open_run_folder(path: Path) -> RunFolder:
    """The folder of an earlier run. Raises `InputError` when it is none."""
    folder = RunFolder(path)
    if not folder.recipe.is_file():
        raise InputError(
            f"{path} is not the folder of a run: it has no recipe.yaml.",
            "Name a folder below runs/ that `nybble run` or `nybble train` made.",
        )
    return folder
