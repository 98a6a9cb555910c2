"""From the sources of a recipe to its split examples."""

import json

import pytest

from nybble.data.corpus import read_splits
from nybble.data.examples import Conversation, Pair
from nybble.recipe.load import parse_recipe
from nybble.runs.errors import InputError


@pytest.fixture
def write(tmp_path):
    def rows(name, *rows):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    return rows


def splits(train, **data):
    fields = {"train": train, "validation": 0, "test": 0} | data
    text = {"name": "a", "model": {"base": "b"}, "data": fields}
    return read_splits(parse_recipe(json.dumps(text), "s", []))


def items(count):
    return [{"title": f"t{n}", "price": n + 0.5} for n in range(count)]


PRICES = {"prompt": "{title}: $", "completion": "{price:.0f}.00", "test_completion": "{price}"}


def test_test_rows_have_a_completion_of_their_own(write):
    found = splits(write("rows", *items(9)), test=3, validation=2, **PRICES)
    for example in (*found.train, *found.validation):
        assert example.completion == f"{example.columns['price']:.0f}.00"
    assert [e.completion for e in found.test] == [str(e.columns["price"]) for e in found.test]


def test_so_have_those_of_a_source_of_their_own(write):
    test = write("test", *items(2))
    found = splits(write("rows", *items(9)), test=test, validation=test, **PRICES)
    assert [e.completion for e in found.test] == ["0.5", "1.5"]
    assert [e.completion for e in found.validation] == ["0.00", "2.00"]


def test_a_row_that_does_not_fit_the_tests_completion_is_told_at_once(write):
    rows = [{"title": f"t{n}", "price": 1.0, "exact": "much"} for n in range(4)]
    form = PRICES | {"test_completion": "{exact:.1f}"}
    with pytest.raises(InputError, match=r"rows\.jsonl: row \d: exact = 'much' does not fit"):
        splits(write("rows", *rows), test=1, **form)


def test_a_mixture_of_formats(write):
    pairs = [{"prompt": f"p{n}", "completion": "c"} for n in range(20)]
    talks = [
        {"messages": [{"role": "user", "content": f"u{n}"}, {"role": "assistant", "content": "b"}]}
        for n in range(5)
    ]
    train = [
        {"source": write("a", *pairs), "weight": 0.5},
        {"source": write("b", *talks), "weight": 0.25},
        {"source": write("c", *items(10)), "weight": 0.25, "prompt": "{title}",
         "completion": "{price}"},
    ]  # fmt: skip
    found = splits(train)
    kinds = [type(example) for example in found.train]
    assert (kinds.count(Conversation), kinds.count(Pair), len(kinds)) == (10, 30, 40)
    assert [(s.first, s.last, s.trained_on) for s in found.shares] == [
        (1, 20, 20), (21, 25, 10), (26, 35, 10),
    ]  # fmt: skip
    capped = splits(train, mixture="cap")
    assert [share.trained_on for share in capped.shares] == [10, 5, 5]
    assert splits(train, mixture="cap").train == capped.train
    assert splits(train, mixture="cap", seed=1).train != capped.train


def test_copies_of_a_row_are_in_one_part_only(write):
    train = [
        {"source": write("a", *[{"prompt": f"a{n}", "completion": "c"} for n in range(30)])},
        {"source": write("b", *[{"prompt": f"b{n}", "completion": "c"} for n in range(9)])},
    ]
    found = splits(train, validation=6, test=6)
    parts = [{e.number for e in part} for part in (found.train, found.validation, found.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 39
    assert len(found.validation) == len(found.test) == 6


def test_a_broken_row_of_a_mixture_is_named_by_its_own_source(write):
    good = {"prompt": "a", "completion": "b"}
    train = [{"source": write("a", good, good)}, {"source": write("b", good, {"prompt": "a"})}]
    with pytest.raises(InputError, match=r"b\.jsonl: row 2 has no 'completion'"):
        splits(train)


def test_a_limit_is_each_sources_own(write):
    rows = [{"prompt": f"p{n}", "completion": "c"} for n in range(6)]
    train = [{"source": write("a", *rows)}, {"source": write("b", *rows[3:])}]
    assert [(s.first, s.last) for s in splits(train, limit=2).shares] == [(1, 2), (3, 4)]


def test_files_of_a_pattern_are_one_source(write, tmp_path):
    for name in "ab":
        write(name, {"prompt": name, "completion": "c"}, {"prompt": name + name})
    with pytest.raises(InputError, match=r"a\.jsonl: row 2 has no 'completion'"):
        splits(f"{tmp_path}/*.jsonl")
