import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from nybble.data.batches import StepLoader, make_step
from nybble.data.packing import Layout
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.pipeline.train import load_model
from nybble.recipe.train_part import TrainPart
from nybble.runs.atomic import read_json_lines
from nybble.runs.errors import InputError, NybbleError
from nybble.runs.folder import RunFolder
from nybble.training.loop import Trainer

pytestmark = pytest.mark.slow
PART = TrainPart(max_steps=6, batch_size=4, learning_rate=1e-3, save_steps=3, eval_steps=2)


def trainer(
    stage, plan, path: Path, part: TrainPart = PART, fingerprint: str = "rows", judge=None
) -> Trainer:
    path.mkdir(exist_ok=True)
    model = load_model(stage, plan, None)
    for layer in (m for m in model.modules() if hasattr(m, "lora_dropout")):
        layer.lora_dropout["default"] = torch.nn.Dropout(0.1)
    return Trainer(
        model=model,
        train_step=TrainStep(model, plan, 1),
        loader=StepLoader(
            stage.prepared.train[:16], part.batch_size, 1, Layout(4096), part.batch_tokens
        ),
        validation=[make_step(stage.prepared.validation[:8], range(8), Layout(4096))],
        part=part,
        folder=RunFolder(path),
        fingerprint=fingerprint,
        base="bundled",
        judge=judge,
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
        for moment, value in resumed.update.optimizer.state[parameter].items():
            assert torch.equal(value, whole.update.optimizer.state[other][moment])
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
    assert [line.pop("step") for line in again if "resumed" in line] == [3]
    again = [line for line in again if "resumed" not in line]
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
    path = run.train_step.path
    sane = path.train

    def poisoned(pack, step, scale, loss) -> None:
        sane(pack, step, scale * float("nan"), loss)
        loss.mul_(float("nan"))

    path.train = poisoned
    with pytest.raises(NybbleError, match="step 1 is not finite"):
        run.run()
    after = tensors(run)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert read_json_lines(tmp_path / "metrics.jsonl")[0]["loss"] is None


class Reads(TorchDispatchMode):
    """Counts values read from tensors: on a GPU, each would wait for the device."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("on_nan", ["skip", "stop"])
def test_gradients_that_are_not_finite_skip_a_step_without_reading_one(
    stage, plan, tmp_path, on_nan: str
) -> None:
    """Where they stop the training, so are the steps queued until that is known."""
    run = trainer(stage, plan, tmp_path, PART.model_copy(update={"on_nan": on_nan}))
    run.train_step = Poisoned(run.train_step, run.update.parameters, at=2)
    batches = list(run.loader.steps(0, 4))
    reads = []
    for step, batch in enumerate(batches):
        before = [p.detach().clone() for p in run.update.parameters]
        state = [
            {k: v.clone() for k, v in run.update.optimizer.state[p].items()}
            for p in run.update.parameters
        ]
        with Reads() as counted:
            run._launch(step, batch)
        reads.append(counted.count)
        moved = any(
            not torch.equal(a, b) for a, b in zip(before, run.update.parameters, strict=True)
        )
        skipped = step == 2 or (step == 3 and on_nan == "stop")
        assert moved != skipped
        if skipped:
            for parameter, then in zip(run.update.parameters, state, strict=True):
                now = run.update.optimizer.state[parameter]
                assert all(torch.equal(now[name], value) for name, value in then.items())
    assert reads[1:] == [reads[1]] * 3
    assert all(torch.isfinite(p).all() for p in run.update.parameters)


class Poisoned:
    """A `TrainStep` whose gradients are NaN at one step, its loss as it was."""

    def __init__(self, step, parameters, at: int) -> None:
        self.step, self.parameters, self.at = step, parameters, at

    def __call__(self, batch, step: int, scale: float):
        loss = self.step(batch, step, scale)
        if step == self.at:
            self.parameters[3].grad[0, 0] = float("nan")
        return loss


def test_the_seed_of_the_loader_changes_the_order(stage) -> None:
    rows = stage.prepared.train[:16]
    orders = [
        [
            b.packs[0].row_numbers.tolist()
            for b in StepLoader(rows, 4, seed, Layout(4096)).steps(0, 4)
        ]
        for seed in (1, 2)
    ]
    assert orders[0] != orders[1]


def test_padding_is_told_for_each_step_and_in_all(stage, plan, tmp_path) -> None:
    run = trainer(stage, plan, tmp_path)
    run.loader = replace(run.loader, layout=Layout(4096, (512, 1024, 4096)))
    result = run.run()
    batches = list(run.loader.steps(0, 6))
    lines = [line for line in read_json_lines(tmp_path / "metrics.jsonl") if "loss" in line]
    assert [line["padded_tokens"] for line in lines] == [b.padded_tokens for b in batches]
    padded, computed = (
        sum(b.padded_tokens for b in batches),
        sum(b.computed_tokens for b in batches),
    )
    assert result.padded_share == padded / computed > 0


def test_steps_of_so_many_tokens_are_resumed_to_the_same_bits(stage, plan, tmp_path) -> None:
    part = PART.model_copy(
        update={"batch_tokens": 150, "max_steps": -1, "num_train_epochs": 2, "save_steps": 2}
    )
    whole = trainer(stage, plan, tmp_path / "a", part)
    result = whole.run()
    assert result.steps == whole.loader.steps_in(2) > 4
    assert result.tokens == 2 * sum(len(row.input_ids) for row in stage.prepared.train[:16])
    lines = read_json_lines(tmp_path / "a" / "metrics.jsonl")
    assert max(line["tokens"] for line in lines if "loss" in line) <= 150
    saved = max((tmp_path / "a" / "checkpoints").iterdir(), key=lambda p: p.stat().st_mtime)
    resumed = trainer(stage, plan, tmp_path / "b", part)
    resumed.run(saved)
    a, b = tensors(whole), tensors(resumed)
    assert all(torch.equal(a[name], b[name]) for name in a)
