"""Trains on a disk that is full after so many bytes, for many numbers of them.

    python full_disk_session.py DISK STEP_BYTES

DISK is an empty folder, a file system of its own. Tells how many trainings the disk cut off, and
where; ends with an error where one left anything but a good checkpoint and a clear error.
"""

import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from nybble.data.batches import StepLoader
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.pipeline.stage import make_stage
from nybble.pipeline.train import load_model
from nybble.planner.device import Device
from nybble.recipe import load_recipe
from nybble.recipe.train_part import TrainPart
from nybble.runs.atomic import new_folder
from nybble.runs.errors import disk_error
from nybble.runs.folder import RunFolder
from nybble.training.checkpoint import save_adapter
from nybble.training.good import newest_good
from nybble.training.loop import Trainer

PART = TrainPart(max_steps=5, batch_size=2, save_steps=1, save_total_limit=2)
SMALL = ["data.limit=60", "data.validation=4", "data.test=20", "evaluate.size=0", "lora.r=2"]


class Session:
    """One model for all trainings."""

    def __init__(self) -> None:
        stage = make_stage(load_recipe("price-demo", SMALL))
        plan = stage.plan(Device("cpu", "test", (0, 0), 8_000_000_000))
        self.model = load_model(stage, plan, None)
        self.step = TrainStep(self.model, plan, 1)
        self.rows = stage.prepared.train[:16]
        self.first = self.values()

    def values(self) -> list[torch.Tensor]:
        return [p.detach().clone() for p in trainable_parameters(self.model).values()]

    def train(self, folder: Path, checkpoint: Path | None, part: TrainPart = PART) -> None:
        """To the end, adapter and all."""
        for parameter, value in zip(
            trainable_parameters(self.model).values(), self.first, strict=True
        ):
            parameter.data.copy_(value)
        loader = StepLoader(self.rows, part.batch_size, 1, self.step.layout)
        run = RunFolder(folder)
        Trainer(self.model, self.step, loader, [], part, run, "rows", "b").run(checkpoint)
        with new_folder(run.adapter) as scratch:
            save_adapter(self.model, scratch, "b")


def fill(disk: Path, free: int) -> Path:
    """A file that leaves `free` bytes."""
    there = os.statvfs(disk)
    ballast = disk / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, there.f_bavail * there.f_frsize - free)
    return ballast


def cut_off(session: Session, disk: Path, begun: Path, free: int) -> str | None:
    """What was being written when the disk was full; None where it was large enough."""
    run = disk / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(begun, run)
    ballast = fill(disk, free)
    told: Any = None
    try:
        session.train(run, run / "checkpoints" / "checkpoint-2")
    except Exception as error:
        told = disk_error(error)
        if told is None:
            raise
        assert told.message.startswith(f"The disk is full writing {run}/"), told
        assert not list(run.rglob(".partial-*")), "something half-written is left"
    ballast.unlink()
    good = newest_good(run / "checkpoints")
    assert good, "no checkpoint is whole"
    if told is None:
        return None
    session.train(run, good)
    return str(told.message).replace(str(disk), "")


def main() -> None:
    disk, step_bytes = Path(sys.argv[1]), int(sys.argv[2])
    session = Session()
    with tempfile.TemporaryDirectory() as scratch:
        begun = Path(scratch) / "begun"
        begun.mkdir()
        session.train(begun, None, PART.model_copy(update={"save_total_limit": 9}))
        expected = session.values()
        for name in ("checkpoints/checkpoint-3", "checkpoints/checkpoint-4", "adapter"):
            shutil.rmtree(begun / name)
        free, found = 0, Counter[str]()
        while (where := cut_off(session, disk, begun, free)) is not None:
            found[where] += 1
            free += step_bytes
            now = session.values()
            assert all(torch.equal(a, b) for a, b in zip(expected, now, strict=True))
        print(f"{found.total()} trainings were cut off, {free:,} bytes were enough")
        for where, count in found.items():
            print(f"{count:6} {where}")


if __name__ == "__main__":
    main()
