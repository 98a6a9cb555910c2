"""Run folders as `nybble run` leaves them, without running anything."""

import json
from pathlib import Path

import numpy as np
import pytest

from nybble.data.lengths import length_statistics
from nybble.evaluation import Thresholds, compare
from nybble.runs.folder import RunFolder, create_run_folder

RECIPE = """name: tiny
summary: A run of nothing.
model: {base: 'bundled:mini'}
data: {train: 'bundled:catalogue'}
evaluate: {green_within: 40, green_share: 0.2, orange_within: 80, orange_share: 0.4}
"""
TUNED, BASELINE, RIDGE, FLOOR = "tuned model", "few-shot base", "ridge", "noise floor"


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


def judged_run(
    path: Path, rows: int = 60, references: tuple[str, ...] = (RIDGE, FLOOR), text: str = "a lamp"
) -> RunFolder:
    """A run whose tuned model is close to the truth; the baseline's first answer has no number."""
    folder = trained_run(path)
    rng = np.random.default_rng(0)
    truth = np.round(np.exp(rng.normal(4, 1, rows)), 2)
    names = (TUNED, BASELINE, *references)
    values = {name: truth + rng.normal(0, 5 + 30 * i, rows) for i, name in enumerate(names)}
    comparison = compare(
        "number", "mae", truth, values, BASELINE, TUNED, {BASELINE: 0.9, TUNED: 1.0},
        Thresholds(40, 0.2, 80, 0.4), 0, FLOOR if FLOOR in references else None,
    )  # fmt: skip
    texts = [f"{text} {i}" for i in range(rows)]
    numbers = [10 * i for i in range(rows)]
    for file, name in (("baseline", BASELINE), ("tuned", TUNED)):
        lines = [
            {"row": n, "prompt": t, "answer": f"{v:.1f}", "value": float(v), "truth": float(true)}
            for n, t, v, true in zip(numbers, texts, values[name], truth, strict=True)
        ]
        if name == BASELINE:
            lines[0] |= {"answer": "none of it", "value": None}
        write_lines(folder, file, lines)
    columns = {name: column.tolist() for name, column in values.items()}
    folder.write(
        "evaluation/predictions.json",
        {"row": numbers, "text": texts, "truth": truth.tolist(), "values": columns},
    )
    folder.write("evaluation/comparison.json", {**comparison, "test_reads": 2})
    return folder


def write_lines(folder: RunFolder, name: str, lines: list[dict]) -> None:
    path = folder.evaluation / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


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
