"""A training that is killed again and again ends with the bits of one that was not."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests.training.forked import nybble

pytestmark = pytest.mark.slow
LONG = settings().max_examples >= 1000  # in `make exhaustive`: 30 kills in 120 steps
KILLS = 30 if LONG else 2
RECIPE = ["price-demo", "data.validation=10", "data.test=30", "evaluate.size=0", "data.seed=3",
          "train.batch_size=4", "train.save_steps=1", "train.eval_steps=20"]  # fmt: skip
STEPS = 120 if LONG else 24
ROWS = 4 * STEPS  # to train on; ten more are validated on, thirty are test rows
WAYS = {
    "one epoch": [f"data.limit={ROWS + 40}"],
    "packs, dropout, two epochs": [
        f"data.limit={ROWS // 2 + 40}", "train.num_train_epochs=2", "lora.lora_dropout=0.1",
        "train.pack_tokens=64",
    ],
}  # fmt: skip


def steps_done(run: Path) -> int:
    return max((int(p.name[11:]) for p in (run / "checkpoints").glob("checkpoint-*")), default=0)


def lines(run: Path) -> list[dict[str, Any]]:
    """Of the metrics; a kill may have cut off the last one."""
    path = run / "metrics.jsonl"
    found = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in found if line.endswith("}")]


@pytest.mark.parametrize("way", list(WAYS) if LONG else ["packs, dropout, two epochs"])
def test_kills_leave_no_trace_in_the_adapter(way: str, tmp_path: Path) -> None:
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log"
    done = nybble(log, "train", *RECIPE, *WAYS[way], "--output", str(whole))
    done.join(900)
    assert done.exitcode == 0, log.read_text()
    draw = random.Random(5)
    process = nybble(log, "train", *RECIPE, *WAYS[way], "--output", str(killed))
    began: list[int] = []
    for _ in range(KILLS):
        # So many saves are waited for that the kills are spread over the whole training.
        wanted = steps_done(killed) + draw.randint(1, STEPS // (KILLS + 1))
        while process.is_alive() and steps_done(killed) < wanted:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.1))
        assert process.is_alive(), log.read_text()
        process.kill()
        process.join()
        began.append(steps_done(killed))
        process = nybble(log, "resume", str(killed))
    process.join(900)
    assert process.exitcode == 0, log.read_text()
    name = "adapter/adapter_model.safetensors"
    assert (killed / name).read_bytes() == (whole / name).read_bytes()
    # Each went on at the newest checkpoint; those that were killed before they did tell nothing.
    resumed = [line["step"] for line in lines(killed) if "resumed" in line]
    assert resumed
    assert set(resumed) <= set(began)
    assert resumed[-1] == began[-1]
    keys = ("step", "loss", "validation_loss", "grad_norm", "learning_rate", "tokens")
    kept = [[x.get(k) for k in keys] for x in lines(killed) if "resumed" not in x]
    assert kept == [[x.get(k) for k in keys] for x in lines(whole)]
