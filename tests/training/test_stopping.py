"""The best evaluation's adapters, patience, and both over a resume."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nybble.model.adapters import trainable_parameters
from nybble.pipeline.train import told
from nybble.runs.atomic import read_json_lines
from nybble.runs.errors import InputError

pytestmark = pytest.mark.slow
SCORES = {1: 3.0, 2: 5.0, 3: 4.0, 4: 4.5, 5: 1.0, 6: 2.0}
BY_SCORE = {"metric_for_best_model": "score", "eval_steps": 1, "save_total_limit": 1,
            "save_steps": 2}  # fmt: skip


def judge(step: int) -> dict[str, float]:
    return {"score": SCORES[step]}


def tensors(run) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in trainable_parameters(run.model).items()}


def same(a, b) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def saved(path: Path) -> set[str]:
    return {p.name for p in (path / "checkpoints").iterdir()}


def test_the_best_is_kept_besides_the_newest_and_ends_as_the_adapter(make_trainer, tmp_path):
    run = make_trainer(tmp_path, judge, load_best_model_at_end=True, **BY_SCORE)
    result = run.run()
    assert (result.steps, result.adapter_step, result.stopped_early) == (6, 2, False)
    assert saved(tmp_path) == {"checkpoint-2", "checkpoint-4"}
    file = tmp_path / "checkpoints" / "checkpoint-2" / "adapter_model.safetensors"
    expected = {
        name.replace(".weight", ".default.weight"): t for name, t in load_file(file).items()
    }
    assert same(tensors(run), expected)
    lines = read_json_lines(tmp_path / "metrics.jsonl")
    assert [line["score"] for line in lines if "score" in line] == list(SCORES.values())
    assert lines[-1] == {"step": 6, "adapter_step": 2}
    losses = {line["step"]: line["validation_loss"] for line in lines if "score" in line}
    assert result.validation_loss == losses[2]
    assert "the adapter is step 2's, the best by score" in told(result, run)


def test_without_that_the_adapter_is_the_last_one(make_trainer, tmp_path):
    run = make_trainer(tmp_path, judge, **BY_SCORE)
    result = run.run()
    assert result.adapter_step == 6
    assert saved(tmp_path) == {"checkpoint-4"}


def test_less_may_be_better(make_trainer, tmp_path):
    run = make_trainer(
        tmp_path, judge, load_best_model_at_end=True, greater_is_better=False, **BY_SCORE
    )
    assert run.run().adapter_step == 5


def test_patience_ends_the_training(make_trainer, tmp_path):
    run = make_trainer(tmp_path, judge, early_stopping_patience=2, **BY_SCORE)
    result = run.run()
    assert (result.steps, result.adapter_step, result.stopped_early) == (4, 4, True)


def test_a_threshold_makes_it_impatient(make_trainer, tmp_path):
    fields = BY_SCORE | {"early_stopping_patience": 1, "early_stopping_threshold": 2.5}
    assert make_trainer(tmp_path, judge, **fields).run().steps == 2


@pytest.mark.parametrize("at", [2, 4])
def test_a_resumed_training_stops_where_the_whole_one_did(make_trainer, tmp_path, at: int):
    fields = BY_SCORE | {
        "load_best_model_at_end": True, "early_stopping_patience": 2, "save_total_limit": 3
    }  # fmt: skip
    whole = make_trainer(tmp_path / "a", judge, **fields)
    first = whole.run()
    resumed = make_trainer(tmp_path / "a", judge, **fields)
    second = resumed.run(tmp_path / "a" / "checkpoints" / f"checkpoint-{at}")
    assert (second.steps, second.adapter_step, second.stopped_early) == (4, 2, True)
    assert first.adapter_step == 2
    assert same(tensors(whole), tensors(resumed))


def test_a_damaged_best_is_told_and_left_out(make_trainer, tmp_path, capsys):
    run = make_trainer(tmp_path, judge, load_best_model_at_end=True, **BY_SCORE)
    evaluated = run.judge

    def break_it(step: int) -> dict[str, float]:
        if step == 6:
            path = tmp_path / "checkpoints" / "checkpoint-2" / "adapter_model.safetensors"
            path.write_bytes(path.read_bytes()[:-1])
        return evaluated(step)

    run.judge = break_it
    result = run.run()
    assert result.adapter_step == 6
    assert "checkpoint-2, the best, is left out" in capsys.readouterr().out
    assert "the adapter is step 6's, not the best by score" in told(result, run)


def test_a_metric_that_nobody_measures_is_refused(make_trainer, tmp_path):
    run = make_trainer(
        tmp_path, None, load_best_model_at_end=True, metric_for_best_model="mae", eval_steps=1
    )
    with pytest.raises(InputError, match="'mae' is not measured while training"):
        run.run()


def test_lines_are_as_rare_as_asked(make_trainer, tmp_path):
    make_trainer(tmp_path, logging_steps=4).run()
    lines = read_json_lines(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == [4, 6]


def test_a_spike_is_marked_also_where_no_line_was_due(make_trainer, tmp_path):
    run = make_trainer(tmp_path, logging_steps=100)
    run.ledger.spikes.recent = [0.1, 0.11] * 20
    run.run()
    lines = [line for line in read_json_lines(tmp_path / "metrics.jsonl") if "loss" in line]
    assert lines[0]["step"] == 1
    assert lines[0]["spike"] is True
