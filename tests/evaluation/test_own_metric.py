from pathlib import Path

import pytest

from nybble.evaluation.making import make_task
from nybble.evaluation.own_metric import load_function
from nybble.evaluation.task import Item
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.runs.errors import InputError

ITEMS = [Item(7, "p", "abcd", {"bonus": 1}), Item(8, "p", "ab", {"bonus": 2})]


@pytest.fixture
def own(tmp_path: Path):
    """A task with the metric `score` of a file with this body; answers of training are `xx`."""

    def make(body: str, task: str = "text", **fields: object):
        path = tmp_path / "mine.py"
        path.write_text(body)
        part = EvaluatePart.model_validate({"task": task, "metric": f"{path}:score", **fields})
        return make_task(part, ["xx", "xx", "y"] if task == "text" else [5.0, 7.0, 9.0])

    return make


def test_it_is_called_with_answer_truth_and_row(own) -> None:
    task = own("def score(answer, truth, row): return len(answer) - len(truth) + row['bonus']")
    judged = task.judge(ITEMS, [("abc",), ("abc",)])
    assert [one.score for one in judged] == [0.0, 3.0]
    assert task.metrics(judged)["score"] == 1.5
    assert (task.metric, task.higher_is_better) == ("score", True)


def test_what_it_cannot_read_counts_as_the_constant_reference(own) -> None:
    task = own("def score(a, t, r): return None if 'z' in a else float(len(a))")
    judged = task.judge(ITEMS, [("zzzz",), ("",)])
    assert [one.score for one in judged] == [2.0, 2.0]
    assert [one.parsed for one in judged] == [False, False]


def test_it_scores_numbers_too(own) -> None:
    task = own("def score(a, t, r): return abs(float(a) - t)", "number", greater_is_better=False)
    items = [Item(1, "p", 10.0), Item(2, "p", 10.0)]
    judged = task.judge(items, [("12",), ("none",)])
    assert [one.score for one in judged] == [2.0, 3.0]
    assert not task.higher_is_better
    assert task.metrics(judged)["mae"] == 2.5


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def score(a, t, r): return 1 / 0", "row 7: ZeroDivisionError"),
        ("def score(a, t, r): return 'good'", "row 7: it gives 'good'"),
        ("def score(a, t, r): return float('nan')", "row 7: it gives nan"),
        ("def score(a, t, r): return [1]", r"row 7: it gives \[1\]"),
        ("def score(a, t, r): return 10**400", "row 7: it gives 1000"),
        ("def score(a, t, r): return -1e200", r"row 7: it gives -1e\+200"),
        ("def score(a, t, r): return None", "row 7: gives None for the constant reference"),
    ],
)
def test_its_errors_name_the_row(own, body, told) -> None:
    with pytest.raises(InputError, match=told):
        own(body).judge(ITEMS, [("a",), ("b",)])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def other(a, t, r): return 1", "no function score"),
        ("def score(a): return 1", "cannot be called"),
        ("score = 5", "no function score"),
        ("def score(:", "does not run: SyntaxError"),
        ("import nothing_of_that_name", "does not run: ModuleNotFoundError"),
    ],
)
def test_what_is_no_metric_is_told_before_any_row(own, body, told) -> None:
    with pytest.raises(InputError, match=told):
        own(body)


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match=r"there is no file nowhere\.py"):
        load_function("nowhere.py:score")


def test_a_name_that_the_task_gives_to_another_metric_is_refused(tmp_path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def rmsle(a, t, r): return 1.0\ndef parse_rate(a, t, r): return 1.0\n")
    for name in ("rmsle", "parse_rate"):
        part = EvaluatePart.model_validate({"task": "number", "metric": f"{path}:{name}"})
        with pytest.raises(InputError, match=f"may not be called {name}"):
            make_task(part, [5.0, 7.0])
