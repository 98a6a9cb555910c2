"""What a task says it measures is what it gives, whatever the answers."""

from pathlib import Path

import pytest

from nybble.evaluation.making import make_task
from nybble.evaluation.task import Item, Task
from nybble.evaluation.tasks.loss import scored_answer
from nybble.recipe.evaluate_part import EvaluatePart

MBPP = {"text": "Add.", "code": "", "test_list": ["assert add(1, 2) == 3"], "test_setup_code": ""}
ROWS = {
    "number": (["1", "2.5", "none"], [1.0, 2.0, 3.0]),
    "label": (["yes", "no", "?"], ["yes", "no", "no"]),
    "text": (["a b", "", "c"], ["a b", "b", "d"]),
    "loss": ([scored_answer(2.0, 3), scored_answer(1.0, 1)], ["a", "b"]),
}


def names(task: Task, answers: list[str], truths: list) -> list[str]:
    items = [Item(n, "p", truth) for n, truth in enumerate(truths)]
    return list(task.metrics(task.judge(items, [(answer,) for answer in answers])))


@pytest.mark.parametrize("kind", ROWS)
def test_measures_are_the_names_of_the_metrics(kind: str) -> None:
    answers, truths = ROWS[kind]
    task = make_task(EvaluatePart.model_validate({"task": kind}), truths)
    assert sorted(names(task, answers, truths)) == sorted(task.measures)
    assert task.metric in task.measures


@pytest.mark.parametrize("samples", [1, 5])
def test_programs_are_measured_at_one_try_and_at_the_headlines(samples: int) -> None:
    part = EvaluatePart.model_validate(
        {"task": "code", "samples": samples, "temperature": float(samples > 1)}
        | ({"metric": "pass@5"} if samples > 1 else {})
    )
    task = make_task(part, [])
    judged = task.judge([Item(1, "p", None, MBPP)], [("no program",) * samples])
    assert list(task.metrics(judged)) == list(task.measures)


def test_a_function_of_ones_own_is_measured_beside_the_tasks(tmp_path: Path) -> None:
    file = tmp_path / "metrics.py"
    file.write_text("def ratio(answer, truth, row): return float(answer == truth)")
    part = EvaluatePart.model_validate({"task": "text", "metric": f"{file}:ratio"})
    task = make_task(part, ["a", "a", "b"])
    assert sorted(names(task, *ROWS["text"])) == sorted(task.measures)
    assert task.measures[0] == task.metric == "ratio"
