"""A real training process that is asked to end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
RECIPE = ["price-demo", "data.limit=300", "data.validation=0", "data.test=30", "evaluate.size=0",
          "train.batch_size=4", "train.max_steps=2000", "train.save_steps=0"]  # fmt: skip


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_step_is_finished_and_saved(number: int, code: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "nybble", "train", *RECIPE, "--output", str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = run / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_text()):
        time.sleep(0.1)
    os.kill(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    (checkpoint,) = (run / "checkpoints").iterdir()
    steps = len(metrics.read_text().splitlines())
    assert checkpoint.name == f"checkpoint-{steps}"
    assert "nybble resume" in told
