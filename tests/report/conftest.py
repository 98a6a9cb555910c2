"""Run folders as `nybble run` leaves them, without running anything."""

import json
from pathlib import Path

import numpy as np
import pytest

from nybble.data.lengths import length_statistics
from nybble.evaluation.comparison import compare, of_run
from nybble.evaluation.contender import Contender
from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.task import Item
from nybble.evaluation.tasks.number import NumberTask
from nybble.runs.folder import RunFolder, create_run_folder

RECIPE = """name: tiny
summary: A run of nothing.
model: {base: 'bundled:mini'}
data: {train: 'bundled:catalogue'}
evaluate: {green_within: 40, green_share: 0.2, orange_within: 80, orange_share: 0.4}
"""
KINDS = {"tuned model": "tuned", "few-shot base": "base"}
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
    bounds = Thresholds(40, 0.2, 80, 0.4)
    task = NumberTask(float(np.median(truth)), bounds)
    items = [Item(10 * i, f"{text} {i}", float(true)) for i, true in enumerate(truth)]
    contenders = []
    for name, column in values.items():
        answers = [(repr(value),) for value in column.tolist()]
        if name == BASELINE:
            answers[0] = ("none of it",)
        contenders.append(Contender(name, KINDS.get(name, "reference"), task.judge(items, answers)))
    pairs = [(TUNED, name) for name in (BASELINE, *references)]
    floor = FLOOR if FLOOR in references else None
    comparison = of_run(compare(task, contenders, 0, (), pairs), TUNED, BASELINE, floor, bounds)
    by_name = {one.name: one.judged for one in contenders}
    for file, name in (("baseline", BASELINE), ("tuned", TUNED)):
        write_lines(folder, file, [judged.as_json() for judged in by_name[name]])
    columns = {name: [one.counted for one in judged] for name, judged in by_name.items()}
    folder.write(
        "evaluation/predictions.json",
        {"row": [item.row for item in items], "text": [item.prompt for item in items],
         "truth": truth.tolist(), "values": columns},
    )  # fmt: skip
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
