"""Runs of several processes: the first does the run, the others help it train.

torchrun --nproc-per-node 2 -m nybble train price-demo
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from nybble.pipeline.stage import Stage
from nybble.planner.plan import Plan
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.runs.place import Place, take_own_gpu


@contextmanager
def together(place: Place) -> Iterator[None]:
    """Meet the other processes; all but the first are silent. Imports torch."""
    take_own_gpu(place)
    from nybble.training.processes import joined

    with quiet(place), joined(place):
        yield


@contextmanager
def quiet(place: Place) -> Iterator[None]:
    """Nothing is printed, unless by the first process."""
    if place.leads:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        yield


def check_seeds(place: Place, seeds: int) -> None:
    """Refuse several seeds for several processes: between them, the others would wait."""
    if place.size > 1 and seeds > 1:
        raise InputError(
            f"--seeds {seeds} is for one process, these are {place.size}.",
            "Leave torchrun out, or train each seed as a run of its own with train.seed=N.",
        )


def help_train(stage: Stage, plan: Plan, checkpoint: Path | None) -> None:
    """Compute this process' share of a training; what it would write is thrown away."""
    from nybble.pipeline.train import train

    with tempfile.TemporaryDirectory() as scratch:
        train(stage, plan, RunFolder(Path(scratch)), checkpoint)
