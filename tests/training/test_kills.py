"""A training that is killed again and again ends with the bits of one that was not."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import settings

pytestmark = pytest.mark.slow
RECIPE = ["price-demo", "data.limit=136", "data.validation=10", "data.test=30", "evaluate.size=0",
          "train.batch_size=4", "train.num_train_epochs=2", "train.save_steps=1",
          "train.eval_steps=20", "lora.lora_dropout=0.1"]  # fmt: skip
KILLS = 30 if settings().max_examples >= 1000 else 2


def nybble(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "nybble", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def steps_done(run: Path) -> int:
    return max((int(p.name[11:]) for p in (run / "checkpoints").glob("checkpoint-*")), default=0)


def test_kills_leave_no_trace_in_the_adapter(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = nybble("train", *RECIPE, "--output", str(whole))
    assert done.wait(120) == 0, done.communicate()
    draw = random.Random(5)
    process = nybble("train", *RECIPE, "--output", str(killed))
    for _ in range(KILLS):
        before = steps_done(killed)
        while process.poll() is None and steps_done(killed) <= before:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.2))
        process.kill()
        process.wait()
        if (killed / "adapter").exists():
            break
        process = nybble("resume", str(killed))
    assert process.wait(120) in (0, -9), process.communicate()
    name = "adapter/adapter_model.safetensors"
    assert (killed / name).read_bytes() == (whole / name).read_bytes()
    lines = [json.loads(line) for line in (killed / "metrics.jsonl").open()]
    steps = [line["step"] for line in lines if "loss" in line]
    assert steps == list(range(1, len(steps) + 1))
