"""Run folders as a training leaves them: an adapter that does something, and judged answers."""

import json
from pathlib import Path

import pytest

from nybble.recipe import dump_recipe, load_recipe
from nybble.runs.folder import RunFolder, create_run_folder

INTERVAL = {"value": 15.5, "low": 14.1, "high": 17.1}
COMPARISON = {
    "task": "number", "metric": "mae", "n": 1234, "baseline_name": "few-shot base",
    "tuned_name": "tuned model", "floor_name": None,
    "baseline": {"value": 123.0, "low": 115.0, "high": 132.0}, "tuned": INTERVAL,
    "difference": {"value": -107.5, "low": -116.0, "high": -100.0},
    "references": {"a|b <c>": {**INTERVAL, "difference": {"value": 0.5, "low": -1.0, "high": 2.0}}},
    "parse_rate": {"baseline": 1.0, "tuned": 1.0}, "test_reads": 2,
    "title": "Mean absolute error", "verdict": "On 1,234 held-out rows the tuned model is better.",
}  # fmt: skip
AUDIT = {"rows": {"train": 18_500}, "tokens": {"train": 574_857},
         "scored_tokens": {"train": 37_000}}  # fmt: skip
ENVIRONMENT = {"python": "3.11.7", "device": "cpu", "packages": {"torch": "2.13.0", "numpy": None}}


def small_run(path: Path, overrides: list[str], answers: tuple[str, ...] = ("12",)) -> RunFolder:
    """A judged run without an adapter; `answers` are the tuned model's."""
    recipe = load_recipe("price-demo", overrides)
    folder = create_run_folder("tiny", path, False, dump_recipe(recipe))
    folder.write("plan.json", {"compute_dtype": "float32"})
    folder.write("environment.json", ENVIRONMENT)
    folder.write("data/audit.json", AUDIT)
    folder.write("evaluation/comparison.json", COMPARISON)
    lines = [json.dumps({"answer": answer}) for answer in answers]
    (folder.evaluation / "tuned.jsonl").write_text("\n".join(lines) + "\n")
    folder.adapter.mkdir()
    return folder


@pytest.fixture
def make_run(tmp_path):
    def make(*overrides: str, answers: tuple[str, ...] = ("12",)) -> RunFolder:
        return small_run(tmp_path / "run", list(overrides), answers)

    return make


@pytest.fixture
def adapted_run(tmp_path, mini_model, stage, small_recipe) -> RunFolder:
    """A run whose adapter changes most answers."""
    from nybble.export.inference_files import write_inference_files
    from nybble.training.checkpoint import save_adapter

    folder = small_run(tmp_path / "run", [], ("12",))
    folder.recipe.write_text(dump_recipe(small_recipe))
    save_adapter(mini_model, folder.adapter, stage.base_reference)
    write_inference_files(stage.tokenizer, [2], stage.model_folder, folder.adapter)
    return folder
