"""What comes over between a program and its tests is what it was; what deceives does not."""

import os
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.evaluation.sandbox import run
from nybble.evaluation.sandbox.inside import wire

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.complex_numbers(allow_nan=False),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
    st.fractions(),
    st.decimals(allow_nan=False),
    st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3)),
)
hashable = st.recursive(
    plain, lambda part: st.lists(part).map(tuple) | st.frozensets(part), max_leaves=4
)
values = st.recursive(
    plain,
    lambda part: (
        st.lists(part)
        | st.lists(part).map(tuple)
        | st.sets(hashable)
        | st.dictionaries(hashable, part)
    ),
    max_leaves=8,
)


def refuse(value):
    raise AssertionError(f"{value!r} is data")


def kinds(value):
    inner = value.items() if isinstance(value, dict) else value
    parts = inner if isinstance(value, (list, tuple, dict)) else ()
    return type(value), [kinds(part) for part in parts]


@settings(max_examples=25)
@given(values)
def test_data_arrive_as_they_were(value):
    arrived = wire.decode(wire.encode(value, refuse), refuse)
    assert arrived == value
    assert kinds(arrived) == kinds(value)


@settings(max_examples=25)
@given(values)
def test_they_are_json_and_come_through_a_pipe(value):
    reading, writing = os.pipe()
    data = wire.encode(value, refuse)
    os.set_blocking(writing, False)
    try:
        wire.send(writing, data)
        assert wire.decode(wire.receive(reading), refuse) == value
    finally:
        os.close(reading)
        os.close(writing)


def test_not_a_number_and_minus_zero():
    assert repr(wire.decode(wire.encode([float("nan"), -0.0], refuse), refuse)) == "[nan, -0.0]"


def test_an_object_arrives_as_a_reference():
    @dataclass
    class Point:
        x: int

    assert wire.encode([Point(1)], lambda value: ["reference", 7]) == ["list", [["reference", 7]]]


def test_an_end_is_told_from_a_message():
    reading, writing = os.pipe()
    os.write(writing, (5).to_bytes(8, "big") + b"{")
    os.close(writing)
    with pytest.raises(wire.Gone):
        wire.receive(reading)
    os.close(reading)


@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("from collections import Counter\nf = lambda s: Counter(s)", "assert f('aa') == {'a': 2}"),
        ("from collections import namedtuple as n\nP = n('P', 'x y')", "assert P(1, 2) == (1, 2)"),
        ("def f(kind): return kind", "assert f(str) == str"),
        ("def f(kind, x): return kind(x)", "assert f(len, 'abc') == 3"),
        ("def f(xs): xs.sort()", "xs = [2, 1]\nf(xs)\nassert xs == [1, 2]"),
        ("def f(xs, x): xs.append(x); return len(xs)", 
         "xs = []\nassert f(xs, 1) == 1\nassert f(xs, 1) == 2"),
        ("def f(n):\n    for i in range(n): yield i", "assert list(f(3)) == [0, 1, 2]"),
        ("def f(n): return (i for i in range(n))", "assert sum(f(4)) == 6"),
        ("class C:\n    def __init__(self): self.n = 0\n    def up(self): self.n += 1; return self",
         "c = C()\nassert c.up().up().n == 2\nc.n = 7\nassert c.n == 7"),
        ("class C(list):\n    def first(self): return self[0]", "assert C([1, 2])[0] == 1"),
        ("class S:\n    def __len__(self): return 3\n    def __getitem__(self, k): return k * 2",
         "s = S()\nassert len(s) == 3\nassert s['a'] == 'aa'"),
        ("class P:\n    def __init__(me, x): me.x = x\n    def __eq__(me, o): return me.x == o.x",
         "assert P(1) == P(1)\nassert P(1) != P(2)"),
        ("def f(x):\n    if x < 0: raise ValueError('negative')",
         "try: f(-1)\nexcept ValueError as e: assert str(e) == 'negative'\nelse: assert False"),
        ("def f(x, *, by=1): return x + by", "assert f(1, by=2) == 3"),
        ("import math\ndef f(): return math.pi", "assert math.isclose(f(), 3.14159, rel_tol=1e-3)"),
        ("f = lambda n: 10 ** n", "assert f(5000) == 10 ** 5000"),
        ("def f(): return None", "assert f() is None"),
        ("def f(g, x): return g(g(x))", "assert f(lambda x: x + 1, 2) == 4"),
        ("def f(g): return g", "h = lambda: 1\nassert f(h) is h"),
        ("def f(g, x): return g(x, by=x)", 
         "def add(a, *, by): return a + by\nassert f(add, 2) == 4"),
        ("def one(): return 1\ndef f(g): return g()", "assert f(lambda: one() + one()) == 2"),
        ("def f(xs, g): return sorted(xs, key=g)", "assert f([1, 2], lambda x: -x) == [2, 1]"),
        ("def f(g):\n    try: g()\n    except KeyError: return 'none'",
         "assert f(lambda: {}['a']) == 'none'"),
        ("def twice(g): return lambda x: g(g(x))", "assert twice(lambda x: x * 3)(1) == 9"),
        ("def f(): return True", "assert f() is True"),
        ("LIMIT = 3\ndef f(): return LIMIT", "assert f() == LIMIT"),
    ],
)  # fmt: skip
def test_right_programs_pass_and_the_opposite_fails(program, test):
    verdict = run(program, [test])
    assert verdict.passed, verdict
    assert all(assertion.passed for assertion in verdict.assertions)


def test_an_error_of_the_programs_own_kind_has_its_name():
    program = "class Odd(Exception): pass\ndef f(x): raise Odd('one')"
    assert run(program, ["assert f(1)"]).reason == "RaisedError: Odd: one"


def test_what_is_compared_is_kept_from_the_program():
    program = """
class Curious:
    def __eq__(self, other): print('told', other); return True
    __ne__ = __lt__ = __gt__ = __sub__ = __rsub__ = __contains__ = __eq__
def f(): return Curious()
"""
    tests = ["assert f() == 42", "assert f() < 42", "assert abs(f() - 42) < 1", "assert 42 in f()"]
    verdict = run(program, tests)
    assert not any(assertion.passed for assertion in verdict.assertions)
    assert "42" not in verdict.output


def test_built_in_names_stay_built_in_beside_a_function_that_is_called_like_one():
    tests = ["assert set([sum(1, 2)]) == set([4])"]
    program = "def sum(a, b):\n    return a + b"
    shadowing = "class set:\n    def __init__(self, items): pass\n    __eq__ = lambda *given: True"
    assert not run(f"{program}\n\n\n{shadowing}", tests).passed
    assert run(program, ["assert set([sum(1, 2)]) == set([3])"]).passed
