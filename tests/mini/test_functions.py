import ast
import random
import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.mini.functions import functions
from nybble.mini.operations import NUMBER, NUMBERS, OPERATIONS, WORD

ROWS = list(functions(2000))

# What each step means, written a second time and without the table's expressions.
MEANING = {
    "evens": lambda v, k: [n for n in v if not n & 1],
    "odds": lambda v, k: [n for n in v if n & 1],
    "above_{k}": lambda v, k: [n for n in v if not n <= k],
    "below_{k}": lambda v, k: [n for n in v if not n >= k],
    "plus_each_{k}": lambda v, k: list(map(k.__add__, v)),
    "squares": lambda v, k: [pow(n, 2) for n in v],
    "first_{k}": lambda v, k: [n for i, n in enumerate(v) if i < k],
    "last_{k}": lambda v, k: [n for i, n in enumerate(v) if i >= len(v) - k],
    "turned": lambda v, k: list(reversed(v)),
    "sort_up": lambda v, k: sorted(v),
    "sort_down": lambda v, k: sorted(v, key=int.__neg__),
    "unique": lambda v, k: sorted(dict.fromkeys(v)),
    "total": lambda v, k: sum(v),
    "length": lambda v, k: sum(1 for _ in v),
    "count_above_{k}": lambda v, k: len(list(filter(k.__lt__, v))),
    "add_{k}": lambda v, k: v + k,
    "times_{k}": lambda v, k: sum(v for _ in range(k)),
    "square": lambda v, k: v**2,
    "last_digit": lambda v, k: int(str(v)[-1]),
    "digit_sum": lambda v, k: sum(map(int, str(v))),
    "is_even": lambda v, k: v & 1 == 0,
    "is_odd": lambda v, k: v & 1 == 1,
    "divisible_by_{k}": lambda v, k: v in range(0, v + 1, k),
    "backwards": lambda v, k: "".join(reversed(v)),
    "shout": lambda v, k: v.swapcase(),
    "repeat_{k}": lambda v, k: "".join(v for _ in range(k)),
    "head_{k}": lambda v, k: "".join(c for i, c in enumerate(v) if i < k),
    "vowels": lambda v, k: len(re.findall("[aeiou]", v)),
}


@cache
def call(assertion: str) -> tuple[str, object, object]:
    """The function's name, its argument and the value that is asserted."""
    test = ast.parse(assertion).body[0].test
    argument, wanted = test.left.args[0], test.comparators[0]
    return test.left.func.id, ast.literal_eval(argument), ast.literal_eval(wanted)


def cases(row) -> list[tuple[object, object]]:
    return [call(assertion)[1:] for assertion in row["test_list"]]


def steps_of(row) -> list[tuple[str, int]]:
    return steps_in(row["code"])


@cache
def steps_in(code: str) -> list[tuple[str, int]]:
    """The steps that the names tell (each line's, and the function's for the last), with their k.

    No operation's own name holds a digit.
    """
    (function,) = ast.parse(code).body
    lines = [node.targets[0].id for node in function.body if isinstance(node, ast.Assign)]
    names = [*lines[:-1], function.name]
    return [(re.sub(r"\d+", "{k}", n), int((re.findall(r"\d+", n) or [0])[0])) for n in names]


def by_meaning(steps, value):
    for name, k in steps:
        value = MEANING[name](value, k)
    return value


def test_code_passes_its_own_tests():
    for row in ROWS:
        scope: dict = {}
        exec(row["test_setup_code"] + row["code"], scope)
        assert len(row["test_list"]) == 3
        for assertion in row["test_list"]:
            exec(assertion, scope)


def test_every_operation_has_a_meaning_here_and_occurs():
    assert set(MEANING) == {operation.name for operation in OPERATIONS}
    assert set(MEANING) == {name for row in ROWS for name, _ in steps_of(row)}


def test_what_is_asserted_is_what_the_names_say():
    for row in ROWS:
        for argument, wanted in cases(row):
            assert by_meaning(steps_of(row), argument) == wanted, row


def test_no_constant_answer_passes():
    assert all(any(wanted != cases(row)[0][1] for _, wanted in cases(row)) for row in ROWS)


def test_no_step_can_be_left_out():
    left_out = 0
    for row in ROWS:
        steps = steps_of(row)
        for i in range(len(steps)):
            try:
                found = [by_meaning(steps[:i] + steps[i + 1 :], a) for a, _ in cases(row)]
            except (TypeError, AttributeError, ValueError):
                continue  # the next step cannot take what is left
            assert found != [wanted for _, wanted in cases(row)], row
            left_out += 1
    assert left_out > 2000


def test_tasks_chain_two_or_three_steps_and_none_comes_twice():
    assert {len(steps_of(row)) for row in ROWS} == {2, 3}
    assert len({row["code"] for row in ROWS}) == len(ROWS)


def test_the_task_tells_the_name_and_every_step_in_order():
    tasks = {}
    for operation in OPERATIONS:
        tasks.setdefault(operation.name, []).append(operation.task)
    for row in ROWS:
        opening = f"Write a function {call(row['test_list'][0])[0]} that "
        assert row["text"].startswith(opening)
        told = row["text"].removeprefix(opening).removesuffix(".")
        assert f'"""It {told}."""' in row["code"]
        told = told.split(", and ")
        steps = steps_of(row)
        for (name, k), task in zip(steps, told, strict=True):
            assert task in [t.replace("{k}", str(k)) for t in tasks[name]]


def test_the_house_style():
    for row in ROWS:
        (function,) = ast.parse(row["code"]).body
        (argument,) = function.args.args
        *lines, last = function.body[1:]
        names = [line.targets[0].id for line in lines]
        assert len({*names, argument.arg, function.name}) == len(names) + 2
        assert names[-1] == "result"
        assert ast.unparse(last) == "return result"
        docstring = ast.get_docstring(function)
        assert re.fullmatch(r"It .+, and .+\.", docstring)
        assert max(map(len, row["code"].splitlines())) <= 160


def test_every_line_works_on_the_one_before():
    for row in ROWS:
        (function,) = ast.parse(row["code"]).body
        given = function.args.args[0].arg
        for line in function.body[1:-1]:
            used = {node.id for node in ast.walk(line.value) if isinstance(node, ast.Name)}
            assert given in used
            given = line.targets[0].id


@pytest.mark.parametrize(("argument", "kind"), [(NUMBERS, list), (NUMBER, int), (WORD, str)])
def test_an_argument_is_of_the_kind_that_its_name_says(argument, kind):
    found = [row for row in ROWS if f"({argument}):" in row["code"]]
    assert len(found) > 50
    assert {type(given) for row in found for given, _ in cases(row)} == {kind}


def test_rows_have_the_columns_of_mbpp():
    assert [row["task_id"] for row in ROWS] == list(range(1, 2001))
    for row in ROWS:
        assert set(row) == {"task_id", "text", "code", "test_list", "test_setup_code"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.takes} {o.name}")
def test_constants_stay_in_their_range(operation):
    drawn = [k for row in ROWS for name, k in steps_of(row) if name == operation.name]
    assert operation.low <= min(drawn) <= max(drawn) <= operation.high
    assert ("{k}" in operation.name) == ("{k}" in operation.task) == (operation.high > 0)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), few=st.integers(0, 15), more=st.integers(0, 15))
def test_more_rows_begin_with_the_fewer_ones(seed, few, more):
    rows = list(functions(few + more, seed))
    assert rows[:few] == list(functions(few, seed))
    assert len(rows) == few + more


def test_another_seed_gives_other_rows_and_other_draws_disturb_none():
    random.seed(1)
    first = list(functions(20))
    random.seed(2)
    assert list(functions(20)) == first == ROWS[:20]
    assert list(functions(20, 1)) != first
