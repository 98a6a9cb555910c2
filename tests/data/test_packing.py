import importlib.util
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.order import by_rows, by_tokens, shuffled
from nybble.data.packing import Layout, group_rows, size_of
from nybble.data.sizes import GRAIN, fit_sizes, halved_sizes

LENGTHS = st.lists(st.integers(0, 60), max_size=25)
SIZES = st.sets(st.integers(1, 100), min_size=1, max_size=4).map(lambda s: tuple(sorted(s)))


@given(lengths=LENGTHS, capacity=st.integers(1, 150), padded=st.booleans())
def test_groups_as_long_as_their_rows(lengths, capacity, padded):
    groups = group_rows(lengths, Layout(capacity, padded=padded))
    assert sorted(i for g in groups for i in g.rows) == [i for i, n in enumerate(lengths) if n]
    for group in groups:
        held = [lengths[i] for i in group.rows]
        assert group.size == (len(held) * max(held) if padded else sum(held))
        assert group.size <= capacity or len(held) == 1


@given(lengths=LENGTHS, sizes=SIZES, capacity=st.integers(1, 150))
def test_groups_of_fixed_sizes(lengths, sizes, capacity):
    groups = group_rows(lengths, Layout(capacity, sizes))
    assert sorted(i for g in groups for i in g.rows) == [i for i, n in enumerate(lengths) if n]
    for group in groups:
        held = [lengths[i] for i in group.rows]
        assert sum(held) <= group.size
        if len(held) > 1:
            assert group.size in sizes
            assert group.size <= max(capacity, sizes[0])
        assert group.size in sizes or group.size == size_of(sum(held), sizes)


def test_rows_of_like_length_are_padded_together():
    groups = group_rows([2, 9, 2], Layout(10, padded=True))
    assert [(g.rows, g.size) for g in groups] == [([1], 9), ([0, 2], 4)]


ROWS = st.lists(st.integers(1, 5000), min_size=1, max_size=12)


@given(steps=st.lists(ROWS, min_size=1, max_size=3), capacity=st.integers(1, 20_000))
def test_fitted_sizes_are_at_most_four_and_hold_every_row(steps, capacity):
    longest = max(map(max, steps))
    layout = Layout(max(capacity, longest), halved_sizes(max(capacity, longest)))
    fitted = fit_sizes(layout, steps, longest)
    assert fitted == fit_sizes(layout, steps, longest)
    assert 1 <= len(fitted.sizes) <= 4
    assert all(size % GRAIN == 0 for size in fitted.sizes)
    assert longest <= fitted.sizes[-1] < max(layout.capacity, longest) + GRAIN
    for step in steps:
        assert all(g.size <= fitted.sizes[-1] for g in group_rows(step, fitted))


@pytest.fixture(scope="module")
def workload():
    """Tokens that rows of the engine's benchmark use, and how many of them make a step."""
    path = Path(__file__).parents[2] / "benchmarks" / "engine.py"
    spec = importlib.util.spec_from_file_location("engine_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def lengths(name, steps):
        rows_a_step, rows = module.lengths(name, steps)
        return rows_a_step, [tokens for tokens, _ in rows]

    return lengths


def wasted(steps, capacity):
    """The share of padding in `steps`, with sizes fitted to the first 48 of them."""
    layout = Layout(capacity, halved_sizes(capacity))
    fitted = fit_sizes(layout, steps[:48], max(map(max, steps)))
    computed = sum(group.size for step in steps for group in group_rows(step, fitted))
    return 1 - sum(map(sum, steps)) / computed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "capacity", "most"),
    [
        ("chat", 4096, 0.08),
        ("chat", 8192, 0.08),
        ("chat", 16_384, 0.08),
        ("price", 3328, 0.05),
        ("price", 16_384, 0.05),
        ("dense", 2048, 0.01),
        ("dense", 16_384, 0.01),
    ],
)
def test_four_sizes_waste_little_on_steps_that_they_were_not_fitted_to(
    workload, name, capacity, most
):
    rows_a_step, lengths = workload(name, 240)
    steps = [[lengths[i] - 1 for i in step]
             for step in by_rows(shuffled(len(lengths), 0, 0), rows_a_step)]  # fmt: skip
    fitted_to, others = steps[:48], steps[48:]
    layout = fit_sizes(Layout(capacity, halved_sizes(capacity)), fitted_to, max(lengths) - 1)
    computed = sum(group.size for step in others for group in group_rows(step, layout))
    assert 1 - sum(map(sum, others)) / computed <= most


@given(
    lengths=st.lists(st.integers(0, 50), max_size=60),
    tokens=st.integers(1, 120),
    window=st.integers(1, 20),
)
def test_steps_by_tokens_hold_every_row_once(lengths, tokens, window):
    steps = by_tokens(shuffled(len(lengths), 0, 0), lengths, tokens, window)
    assert sorted(i for step in steps for i in step) == list(range(len(lengths)))
    assert all(step for step in steps)
    for step in steps:
        assert sum(lengths[i] for i in step) <= tokens or len(step) == 1


def test_steps_by_tokens_by_hand():
    #        fits, fits, too long: begins the next; 3 and then 1 fill up the first
    lengths = [5, 2, 6, 1, 3, 9]
    assert by_tokens([0, 1, 2, 3, 4, 5], lengths, 11) == [[0, 1, 4, 3], [2], [5]]


@pytest.mark.slow
def test_steps_by_tokens_waste_little_and_their_rows_are_not_sorted(workload):
    _, lengths = workload("chat", 240)
    steps = by_tokens(shuffled(len(lengths), 0, 0), lengths, 16_384)
    room = 16_384 * len(steps)
    # The last of an epoch may be short.
    assert 1 - sum(lengths) / room <= 0.02
    assert wasted([[lengths[i] - 1 for i in step] for step in steps], 16_384) <= 0.02
    means = [sum(lengths[i] for i in step) / len(step) for step in steps[:-1]]
    by_chance = [
        sum(random.Random(n).sample(lengths, len(step))) / len(step)
        for n, step in enumerate(steps[:-1])
    ]
    assert max(means) < 1.3 * max(by_chance)
    assert min(means) > 0.7 * min(by_chance)
