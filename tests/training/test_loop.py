import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nybble.data.batches import StepLoader, make_step
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.pipeline.train import load_model
from nybble.recipe.schema import TrainPart
from nybble.runs.atomic import read_json_lines
from nybble.runs.errors import InputError, NybbleError
from nybble.runs.folder import RunFolder
from nybble.training.loop import Trainer

pytestmark = pytest.mark.slow
PART = TrainPart(max_steps=6, batch_size=4, learning_rate=1e-3, save_steps=3, eval_steps=2)


def trainer(stage, plan, path: Path, part: TrainPart = PART, fingerprint: str = "rows") -> Trainer:
    path.mkdir(exist_ok=True)
    model = load_model(stage, plan, None)
    for layer in (m for m in model.modules() if hasattr(m, "lora_dropout")):
        layer.lora_dropout["default"] = torch.nn.Dropout(0.1)
    return Trainer(
        model=model,
        train_step=TrainStep(model, plan, 1),
        loader=StepLoader(stage.prepared.train[:16], part.batch_size, 1, 4096, 0),
        validation=[make_step(stage.prepared.validation[:8], range(8), 4096, 0)],
        part=part,
        folder=RunFolder(path),
        fingerprint=fingerprint,
        base="bundled",
    )


def tensors(run: Trainer) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in trainable_parameters(run.model).items()}


def test_a_resumed_training_has_the_bits_of_the_uninterrupted_one(stage, plan, tmp_path) -> None:
    whole = trainer(stage, plan, tmp_path / "a")
    whole.run()
    resumed = trainer(stage, plan, tmp_path / "b")
    resumed.run(tmp_path / "a" / "checkpoints" / "checkpoint-3")
    a, b = tensors(whole), tensors(resumed)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert {p.dtype for p in b.values()} == {torch.float32}
    for name, parameter in trainable_parameters(resumed.model).items():
        other = trainable_parameters(whole.model)[name]
        for moment, value in resumed.optimizer.state[parameter].items():
            assert torch.equal(value, whole.optimizer.state[other][moment])
            assert value.dtype == torch.float32


def test_metrics_hold_every_step_once_also_after_a_resume(stage, plan, tmp_path) -> None:
    first = trainer(stage, plan, tmp_path)
    first.run()
    lines = read_json_lines(tmp_path / "metrics.jsonl")
    assert [r["step"] for r in lines if "loss" in r] == [1, 2, 3, 4, 5, 6]
    assert [r["step"] for r in lines if "validation_loss" in r] == [2, 4, 6]
    second = trainer(stage, plan, tmp_path)
    second.run(tmp_path / "checkpoints" / "checkpoint-3")
    again = read_json_lines(tmp_path / "metrics.jsonl")
    keys = ("step", "loss", "validation_loss", "learning_rate", "grad_norm")
    assert [[r.get(k) for k in keys] for r in again] == [[r.get(k) for k in keys] for r in lines]


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    assert read_json_lines(path) == [{"step": 1, "loss": 2.0}]


def test_only_the_newest_checkpoints_are_kept(stage, plan, tmp_path) -> None:
    part = PART.model_copy(update={"save_steps": 1, "save_total_limit": 2})
    trainer(stage, plan, tmp_path, part).run()
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {
        "checkpoint-4",
        "checkpoint-5",
    }


def test_checkpoints_hold_fp32_and_no_pickle(stage, plan, tmp_path) -> None:
    trainer(stage, plan, tmp_path).run()
    folder = tmp_path / "checkpoints" / "checkpoint-3"
    assert {p.suffix for p in folder.iterdir()} == {".json", ".safetensors"}
    for name in ("adapter_model", "optimizer"):
        assert {t.dtype for t in load_file(folder / f"{name}.safetensors").values()} == {
            torch.float32
        }
    assert json.loads((folder / "trainer_state.json").read_text())["step"] == 3


def test_other_rows_are_refused_on_resume(stage, plan, tmp_path) -> None:
    trainer(stage, plan, tmp_path).run()
    other = trainer(stage, plan, tmp_path, fingerprint="other rows")
    with pytest.raises(InputError, match="training rows changed"):
        other.run(tmp_path / "checkpoints" / "checkpoint-3")


def test_a_broken_checkpoint_is_named(stage, plan, tmp_path) -> None:
    trainer(stage, plan, tmp_path).run()
    folder = tmp_path / "checkpoints" / "checkpoint-3"
    path = folder / "optimizer.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="checkpoint-3"):
        trainer(stage, plan, tmp_path).run(folder)


def test_a_loss_that_is_not_finite_stops_and_leaves_the_adapters(stage, plan, tmp_path) -> None:
    run = trainer(stage, plan, tmp_path)
    before = tensors(run)
    poisoned = run.train_step.loss_sum
    run.train_step.loss_sum = lambda batch: poisoned(batch) * float("nan")
    with pytest.raises(NybbleError, match="step 1 is not finite"):
        run.run()
    after = tensors(run)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert read_json_lines(tmp_path / "metrics.jsonl")[0]["loss"] is None


def test_the_seed_of_the_loader_changes_the_order(stage) -> None:
    rows = stage.prepared.train[:16]
    orders = [
        [
            b.micro_batches[0].row_numbers.tolist()
            for b in StepLoader(rows, 4, seed, 4096, 0).steps(0, 4)
        ]
        for seed in (1, 2)
    ]
    assert orders[0] != orders[1]
