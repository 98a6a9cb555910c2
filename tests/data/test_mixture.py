"""Sources in the proportions of their weights, and every row traceable to its own."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.mixture import Joined, counts, mix
from nybble.data.reading import read_examples
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError
from nybble.sources.lazy import View

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=4)


def joined(*sizes):
    parts, first = [], 1
    for number, size in enumerate(sizes):
        rows = [{"prompt": f"{number}", "completion": f"{n}"} for n in range(1, size + 1)]
        parts.append(read_examples(rows, DataPart(train="x"), f"s{number}", first))
        first += size
    return Joined(parts)


@given(SIZES)
def test_joined_rows_are_numbered_through_and_named_by_their_own_source(sizes):
    whole = joined(*sizes)
    assert [example.number for example in whole] == list(range(1, sum(sizes) + 1))
    for index, example in enumerate(whole):
        assert whole.where(index) == f"s{example.prompt}: row {example.completion}"
        assert whole.part(index) == int(example.prompt)


@given(SIZES, st.data(), st.sampled_from(["up-sample", "cap"]))
def test_counts_keep_the_proportions(sizes, data, strategy):
    weights = data.draw(st.lists(st.floats(0.01, 100), min_size=len(sizes), max_size=len(sizes)))
    takes = counts(sizes, weights, strategy)
    limits = [
        Fraction(size) / Fraction(weight) for size, weight in zip(sizes, weights, strict=True)
    ]
    scale = max(limits) if strategy == "up-sample" else min(limits)
    for size, weight, take in zip(sizes, weights, takes, strict=True):
        assert take >= size if strategy == "up-sample" else take <= size
        assert abs(take - scale * Fraction(weight)) <= Fraction(1, 2) or take == 1


@given(SIZES, st.data(), st.sampled_from(["up-sample", "cap"]), st.integers(0, 9))
def test_rows_are_repeated_evenly(sizes, data, strategy, seed):
    weights = data.draw(st.lists(st.floats(0.2, 5), min_size=len(sizes), max_size=len(sizes)))
    whole = joined(*sizes)
    mixed = mix(View(whole, range(len(whole))), whole, weights, strategy, seed)
    taken = Counter(example.number for example in mixed)
    begin = 1
    for size, take in zip(sizes, counts(sizes, weights, strategy), strict=True):
        times = [taken[n] for n in range(begin, begin + size)]
        assert sum(times) == take and max(times) - min(times) <= 1
        begin += size
    assert mixed == mix(View(whole, range(len(whole))), whole, weights, strategy, seed)


def test_the_figures_of_the_documentation():
    assert counts([1000, 300], [0.7, 0.3], "up-sample") == [1000, 429]
    assert counts([1000, 300], [0.7, 0.3], "cap") == [700, 300]


def test_the_seed_draws_which_rows():
    whole = joined(100, 10)
    view = View(whole, range(110))
    found = {tuple(mix(view, whole, [1, 1], "cap", seed).indices) for seed in range(5)}
    assert len(found) == 5


def test_only_rows_of_the_part_are_drawn():
    whole = joined(4, 4)
    mixed = mix(View(whole, [1, 2, 5]), whole, [1, 3], "up-sample", 0)
    assert Counter(mixed.indices) == {1: 1, 2: 1, 5: 6}


def test_a_source_without_a_row_left_is_refused():
    whole = joined(2, 2)
    with pytest.raises(InputError, match=r"^s1: no row of it is left to train on"):
        mix(View(whole, [0, 1]), whole, [1, 1], "cap", 0)
