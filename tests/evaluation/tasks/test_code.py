import pytest

from nybble.evaluation.making import make_task
from nybble.evaluation.task import Item
from nybble.evaluation.tasks.code import CodeTask
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.runs.errors import InputError

RIGHT, WRONG = "def double(x):\n    return 2 * x", "def double(x):\n    return x"
SLOW = "def double(x):\n    while True: pass"
COLUMNS = {"test_list": ["assert double(2) == 4", "assert double(0) == 0"], "test_setup_code": ""}
ITEM = Item(3, "Write a function double.", {"tests": COLUMNS["test_list"]}, COLUMNS)


def test_a_row_passes_or_not_and_says_why():
    right, wrong, none = CodeTask().judge(
        [ITEM] * 3, [(f"```python\n{RIGHT}\n```",), (WRONG,), ("I cannot.",)]
    )
    assert (right.score, wrong.score, none.score) == (1.0, 0.0, 0.0)
    assert right.value == RIGHT
    assert right.row == 3
    assert right.detail["reason"] == "Every assertion holds."
    assert wrong.detail["assertions"] == [
        {"text": "assert double(2) == 4", "passed": False, "message": "2 == 4 is false"},
        {"text": "assert double(0) == 0", "passed": True, "message": ""},
    ]
    assert none.value is None
    assert not none.parsed
    assert none.detail["reason"] == "The answer holds no program."
    assert CodeTask().metrics([right, wrong, none]) == {"pass@1": pytest.approx(1 / 3)}
    assert CodeTask().agree(wrong, none)
    assert not CodeTask().agree(wrong, right)


def test_pass_at_k_of_several_samples():
    task = CodeTask(k=2)
    (judged,) = task.judge([ITEM], [(WRONG, RIGHT, "none", WRONG)])
    assert task.metric == "pass@2"
    assert judged.detail["samples"] == 4
    assert judged.detail["passed"] == 1
    assert judged.score == pytest.approx(1 - 3 / 6)
    assert judged.answer == WRONG
    assert judged.detail["reason"] == "2 == 4 is false"
    assert task.metrics([judged]) == {"pass@1": 0.25, "pass@2": pytest.approx(0.5)}


def test_too_few_samples_are_refused():
    with pytest.raises(InputError, match=r"pass@3"):
        CodeTask(k=3).judge([ITEM], [(RIGHT, WRONG)])


def test_a_row_without_tests_is_refused():
    with pytest.raises(InputError, match="row 3"):
        CodeTask().judge([Item(3, "", None, {"text": "Write"})], [(RIGHT,)])


def test_equal_programs_run_once(monkeypatch):
    ran = []

    def judge_programs(problems, programs, limits):
        ran.extend(programs)
        return original(problems, programs, limits)

    from nybble.evaluation.tasks import code

    original = code.judge_programs
    monkeypatch.setattr(code, "judge_programs", judge_programs)
    (judged,) = CodeTask().judge([ITEM], [(RIGHT, f"```\n{RIGHT}\n```", WRONG, RIGHT)])
    assert ran == [RIGHT, WRONG]
    assert judged.detail["passed"] == 3


def test_the_recipe_says_k_and_the_time():
    part = EvaluatePart(task="code", metric="pass@5", samples=10, temperature=0.8, timeout=1.0)
    task = make_task(part, [])
    assert task == CodeTask(k=5, timeout=1.0)
    (judged,) = CodeTask(timeout=0.5).judge([ITEM], [(SLOW,)])
    assert judged.score == 0.0
    assert "s" in judged.detail["reason"]
    assert judged.detail["reason"].startswith(("It took longer than 2 s", "It used more than 1 s"))
