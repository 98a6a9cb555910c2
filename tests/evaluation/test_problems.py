import pytest

from nybble.evaluation.problems import Problem, problem_of
from nybble.evaluation.sandbox import run
from nybble.mini.functions import functions
from nybble.runs.errors import InputError

HUMAN_EVAL = {
    "task_id": "HumanEval/0",
    "prompt": "from typing import List\n\n\ndef small(xs: List[int]) -> int:\n    '''Least.'''\n",
    "canonical_solution": "    return min(xs)\n",
    "entry_point": "small",
    "test": "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([2, 1]) == 1\n"
    "    for n in range(3):\n        assert candidate([n, 5]) == n\n",
}


def test_mbpp():
    row = {"test_list": ["assert f(1) == 2", "assert set(f(2)) == {3}"], "test_setup_code": "x = 1"}
    assert problem_of(row, "row 1") == Problem(tuple(row["test_list"]), "f", "x = 1")


def test_sanitized_mbpp_has_imports():
    row = {"test_list": ["assert math.isclose(f(1), 2)"], "test_imports": ["import math"]}
    assert problem_of(row, "row 1").setup == "import math"
    assert run("def f(x):\n    return 2.0", row["test_list"], "import math").passed


def test_a_function_may_be_called_as_a_built_in_one():
    row = {"test_list": ["assert sum(10, 15) == 6"]}
    assert problem_of(row, "row 1").function == "sum"
    assert run("def sum(a, b):\n    return 6", row["test_list"]).passed


def test_human_eval():
    problem = problem_of(HUMAN_EVAL, "row 1")
    assert problem.function == "small"
    assert problem.beginning == HUMAN_EVAL["prompt"]
    whole = HUMAN_EVAL["prompt"] + HUMAN_EVAL["canonical_solution"]
    verdict = run(whole, problem.tests)
    assert verdict.passed
    assert [a.text for a in verdict.assertions] == [
        "assert candidate([2, 1]) == 1",
        "assert candidate([n, 5]) == n",
    ]
    wrong = run(HUMAN_EVAL["prompt"] + "    return xs[-1]\n", problem.tests)
    assert [(a.passed, a.message) for a in wrong.assertions] == [
        (True, ""),
        (False, "5 == 0 is false"),
    ]


def test_the_bundled_functions_pass_and_fail():
    for row in functions(3, seed=5):
        problem = problem_of(row, "row")
        assert run(row["code"], problem.tests).passed
        wrong = row["code"].replace("return result", "return None")
        assert not run(wrong, problem.tests).passed


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "Write a function"}, "row 7: no tests: there are the columns text."),
        ({"test_list": []}, "row 7: its 0 tests call no function."),
        ({"test_list": ["assert 1"]}, "row 7: its 1 tests call no function."),
        ({"test_list": ["assert f("]}, "row 7: its tests are no Python: '(' was never closed"),
        ({"test": "def check(:", "entry_point": "f"}, "row 7: its tests are no Python"),
        (
            {"test_list": ["assert f(1)"], "test_setup_code": "x ="},
            "row 7: its tests are no Python",
        ),
    ],
)
def test_rows_without_usable_tests_are_refused(row, message):
    with pytest.raises(InputError) as refused:
        problem_of(row, "row 7")
    assert refused.value.message.startswith(message)


def test_helpers_of_the_question_are_the_questions_own():
    """The test of HumanEval/32 looks at the answer with a function of the prompt."""
    prompt = (
        "import math\n\n\ndef poly(xs, x):\n    return sum(c * x**i for i, c in enumerate(xs))"
        '\n\n\ndef zero(xs):\n    """Where poly is 0."""\n'
    )
    test = "def check(candidate):\n    assert math.fabs(poly([-2, 1], candidate([-2, 1]))) < 1e-4\n"
    problem = problem_of({"prompt": prompt, "test": test, "entry_point": "zero"}, "row 1")
    assert run(f"{prompt}    return -xs[0] / xs[1]", problem.tests, problem.setup).passed
    wrong = (
        f"{prompt}    return 1\n\n\ndef poly(xs, x):\n    return 0\n\n\nclass math:\n    fabs = abs"
    )
    assert not run(wrong, problem.tests, problem.setup).passed
