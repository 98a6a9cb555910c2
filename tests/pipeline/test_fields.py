"""Every field changes behaviour: what training and evaluation fields do to a short run.

Fields of the sources, the data, the planner and the checkpoints are tested where they act.
"""

import json
import shutil
from pathlib import Path

import pytest

import nybble
from nybble.pipeline.run import evaluate_run
from nybble.recipe import load_recipe
from nybble.runs.folder import RunFolder

pytestmark = pytest.mark.slow
SHORT = ["data.limit=90", "data.validation=10", "data.test=20", "train.batch_size=4",
         "train.max_steps=3", "train.warmup_steps=0", "evaluate.size=0"]  # fmt: skip


def trained(folder: Path, *overrides: str) -> bytes:
    run = nybble.run("price-demo", output=folder, overrides=[*SHORT, *overrides])
    return (run / "adapter" / "adapter_model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory) -> bytes:
    return trained(tmp_path_factory.mktemp("fields") / "run")


def test_the_same_recipe_gives_the_same_bytes(unchanged: bytes, tmp_path: Path) -> None:
    assert trained(tmp_path / "run") == unchanged


@pytest.mark.parametrize(
    "override",
    [
        "model.quantization=none",
        "lora.r=8",
        "lora.lora_alpha=8",
        "lora.lora_dropout=0.2",
        "lora.target_modules=attention",
        "lora.variant=rslora",
        "lora.modules_to_save=[norm]",
        "train.optim=adamw_8bit",
        "train.max_steps=2",
        "train.batch_size=5",
        "train.batch_tokens=500",
        "train.learning_rate=1e-3",
        "train.lr_scheduler_type=constant_with_warmup",
        "train.warmup_steps=2",
        "train.weight_decay=0.5",
        "train.adam_beta1=0.5",
        "train.adam_beta2=0.9",
        "train.adam_epsilon=1e-3",
        "train.max_grad_norm=0.01",
        "train.seed=7",
        "data.seed=7",
        "data.score=all",
    ],
)
def test_a_training_field_changes_the_adapter(unchanged, tmp_path: Path, override: str) -> None:
    assert trained(tmp_path / "run", override) != unchanged


@pytest.mark.parametrize(
    ("override", "changes"),
    [
        ("evaluate.size=30", "n"),
        ("evaluate.decode=greedy", "tuned"),
        ("evaluate.few_shot=1", "baseline"),
        ("evaluate.truth=fair_price", "tuned"),
        ("evaluate.floor=null", "references"),
        ("evaluate.green_within=1", "colours"),
        ("evaluate.green_share=0.4", "colours"),
        ("evaluate.orange_within=41", "colours"),
        ("evaluate.orange_share=0.21", "colours"),
    ],
)
def test_an_evaluation_field_changes_the_comparison(
    finished: Path, comparison: dict, tmp_path: Path, override: str, changes: str
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    recipe = load_recipe(str(copy / "recipe.yaml"), [override])
    found = evaluate_run(RunFolder(copy), recipe)
    assert found[changes] != comparison[changes]


def test_max_new_tokens_bounds_the_answers(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    overrides = ["evaluate.decode=greedy", "evaluate.max_new_tokens=1", "evaluate.size=10"]
    evaluate_run(RunFolder(copy), load_recipe(str(copy / "recipe.yaml"), overrides))
    lines = (copy / "evaluation" / "zero_shot.jsonl").read_text().splitlines()
    assert all(len(json.loads(line)["answer"]) <= 12 for line in lines)
