"""MBPP's own solutions pass their tests, and fail them when they are broken.

`make exhaustive` takes all 974, `make test` a sample.
"""

import ast
import json

import pytest
from hypothesis import settings

from nybble.evaluation.judging import judge_programs
from nybble.evaluation.problems import problem_of
from nybble.evaluation.sandbox import Limits

EVERY = 1 if settings.get_current_profile_name() == "exhaustive" else 29
# Setup that needs the solution, a module of the solution's, a function `sum`, and long work.
SPECIAL = {367, 927, 596, 126, 123} if EVERY == 1 else {367, 927, 596, 126}


@pytest.fixture(scope="module")
def rows(shared):
    lines = (shared / "data" / "mbpp" / "mbpp.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 974
    return [row for row in rows if row["task_id"] % EVERY == 0 or row["task_id"] in SPECIAL]


@pytest.fixture(scope="module")
def problems(rows):
    return [problem_of(row, f"row {row['task_id']}") for row in rows]


def failing(rows, verdicts):
    return {row["task_id"]: v.reason for row, v in zip(rows, verdicts, strict=True) if not v.passed}


@pytest.mark.slow
def test_every_solution_passes(rows, problems):
    done = []
    verdicts = judge_programs(problems, [row["code"] for row in rows], on_judged=done.append)
    assert failing(rows, verdicts) == {}
    assert done == list(range(1, len(rows) + 1))
    for row, verdict in zip(rows, verdicts, strict=True):
        assert [assertion.text for assertion in verdict.assertions] == [
            test.strip() for test in row["test_list"]
        ]


def returning(value):
    """Every `return` of the solution returns `value`."""

    class Returns(ast.NodeTransformer):
        def visit_Return(self, node):
            return ast.Return(ast.Constant(value))

    return lambda code, function: ast.unparse(
        ast.fix_missing_locations(Returns().visit(ast.parse(code)))
    )


BREAKAGES = {
    "returns nothing": returning(None),
    "returns a constant": returning("no answer to anything"),
    "raises": lambda code, function: (
        f"{code}\n\ndef {function}(*given, **named):\n    raise ValueError"
    ),
    "is empty": lambda code, function: "",
    "is cut off": lambda code, function: code.rstrip() + "\n    return (",
    "leaves": lambda code, function: f"{code}\n\ndef {function}(*given, **named):\n    exit(0)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BREAKAGES)
def test_every_broken_solution_fails(rows, problems, name):
    breaking = BREAKAGES[name]
    programs = [
        breaking(row["code"], problem.function) for row, problem in zip(rows, problems, strict=True)
    ]
    limits = Limits(cpu_seconds=2, wall_seconds=10.0)
    verdicts = judge_programs(problems, programs, limits)
    passing = [row["task_id"] for row, v in zip(rows, verdicts, strict=True) if v.passed]
    assert passing == []
