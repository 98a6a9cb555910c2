"""What the trainer is told of the task's own metrics at an evaluation."""

import math
from types import SimpleNamespace

from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.task import Item
from nybble.evaluation.tasks.number import NumberTask
from nybble.pipeline import judging
from nybble.recipe import load_recipe
from nybble.training.best import Best

TASK = NumberTask(10.0, Thresholds(40, 0.2, 80, 0.4))


def judge(monkeypatch, answer: str, *overrides: str):
    items = [Item(i, "", truth, {}) for i, truth in enumerate((5.0, 15.0))]
    examiner = SimpleNamespace(task=TASK, ask_quietly=lambda _: [[answer]] * 2,
                               judge=lambda answers: TASK.judge(items, answers))  # fmt: skip
    monkeypatch.setattr(judging, "Examiner", lambda *_: examiner)
    recipe = load_recipe("price-demo", ["evaluate.during_training=2", *overrides])
    stage = SimpleNamespace(
        recipe=recipe, task=TASK, prepared=SimpleNamespace(splits=SimpleNamespace(validation=[]))
    )
    found = judging.judge_for(stage, None, None)(1)
    return found, Best().after(1, found, recipe.training)


def test_the_metric_that_decides_may_be_undefined_for_once(monkeypatch) -> None:
    """rmsle has no value for guesses of -1 and below: one such answer is no reason to stop."""
    decides = ("train.load_best_model_at_end=true",
               "train.metric_for_best_model=validation_rmsle")  # fmt: skip
    found, best = judge(monkeypatch, "-3", *decides)
    assert math.isnan(found["validation_rmsle"]) and best.step == 0
    found, best = judge(monkeypatch, "5", *decides)
    assert math.isfinite(found["validation_rmsle"]) and best.step == 1


def test_others_that_are_undefined_are_left_out(monkeypatch) -> None:
    found, _ = judge(monkeypatch, "-3")
    assert "validation_rmsle" not in found and found["validation_mae"] == 13.0
