"""Run folders as `nybble run` leaves them, without running anything."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nybble.data.lengths import length_statistics
from nybble.report.page import write_comparison_report
from nybble.runs.folder import RunFolder, create_run_folder

from .compared import made_up, write_comparison

RECIPE = """name: tiny
summary: A run of nothing.
model: {base: 'bundled:mini'}
data: {train: 'bundled:catalogue'}
evaluate: {green_within: 40, green_share: 0.2, orange_within: 80, orange_share: 0.4}
"""


def trained_run(path: Path, steps: int = 40, on_gpu: bool = False) -> RunFolder:
    folder = create_run_folder("tiny", path, False, RECIPE)
    lines = [
        {"step": step, "loss": 6 / step + 1, "learning_rate": 1e-3, "tokens": 100,
         "step_seconds": 0.1, **({"peak_bytes": 5_000_000 + step} if on_gpu else {})}
        for step in range(1, steps + 1)
    ]  # fmt: skip
    lines[3]["loss"] = None
    lines.append({"step": steps, "validation_loss": 1.5})
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))
    folder.write("environment.json", {"device": "cpu", "packages": {"torch": "2.13.0"}})
    folder.write(
        "plan.json",
        {"weight_bytes": 3_000_000, "bytes_per_token": 900, "micro_batch_tokens": 2048},
    )
    folder.write("data/audit.json", {"rows": {"train": 90, "validation": 10, "test": 20}})
    lengths = np.arange(20, 110)
    folder.write(
        "data/lengths.json",
        {"batch_size": 8, "rows": length_statistics(lengths, 8, 0), "field": None,
         "numbers": {"single": 10, "most": 3, "example": {"number": "100", "tokens": [*"100"]}}},
    )  # fmt: skip
    token = {
        "tokens": ["<bos>", "a\n", "7"],
        "input_ids": [1, 5, 9],
        "scored": [False, False, True],
    }
    folder.write("data/preview.json", [{"source_row": row, **token} for row in (1, 2, 3)])
    return folder


def judged_run(path: Path, **made: Any) -> RunFolder:
    """A run that was evaluated as `made_up(**made)`."""
    folder = trained_run(path)
    write_comparison(folder.evaluation, made_up(**made))
    return folder


def compared(path: Path, **made: Any) -> Path:
    """The page of several models side by side."""
    return write_comparison_report(write_comparison(path, made_up(**{"own": False, **made})))


@pytest.fixture
def trained(tmp_path):
    return trained_run(tmp_path / "run")


@pytest.fixture
def judged(tmp_path):
    return judged_run(tmp_path / "run")


@pytest.fixture(scope="session")
def make_judged():
    """`judged_run`, for tests that need another kind of run."""
    return judged_run


@pytest.fixture(scope="session")
def make_trained():
    return trained_run


@pytest.fixture(scope="session")
def make_compared():
    return compared
