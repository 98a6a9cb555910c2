from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.batches import StepLoader, make_step, padded, row_lengths
from nybble.data.packing import Layout
from nybble.data.render import TokenRow
from nybble.data.store import write_store


@st.composite
def token_rows(draw, most=12):
    rows = []
    for number in range(draw(st.integers(1, most))):
        # 0, which fills up padded rows, is also an ordinary id here.
        ids = draw(st.lists(st.integers(0, 9), min_size=1, max_size=20))
        scored = draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
        rows.append(TokenRow(number + 1, ids, scored, (0,)))
    return rows


@st.composite
def layouts(draw):
    """Of all three kinds: as long as the rows, padded side by side, or of fixed sizes."""
    if draw(st.booleans()):
        return Layout(draw(st.integers(1, 200)), padded=draw(st.booleans()))
    sizes = sorted(draw(st.sets(st.integers(1, 200), min_size=1, max_size=4)))
    return Layout(sizes[-1], tuple(sizes))


def asked(rows, numbers):
    """Every scored token that something precedes: which row, what is read, what is to be said."""
    return Counter(
        (number, tuple(row.input_ids[:place]), row.input_ids[place])
        for row, number in zip(rows, numbers, strict=True)
        for place in range(1, len(row.input_ids))
        if row.scored[place]
    )


def trained(step):
    """The same, as the packs have it."""
    found = Counter()
    for pack in step.packs:
        for place, target in zip(pack.scored_at, pack.targets, strict=True):
            begin = pack.row_starts[np.searchsorted(pack.row_starts, place, "right") - 1]
            seen = pack.input_ids[begin : place + 1]
            assert pack.positions[begin : place + 1].tolist() == list(range(len(seen)))
            assert set(pack.row_numbers[begin : place + 1]) == {pack.row_numbers[place]}
            found[int(pack.row_numbers[place]), tuple(seen.tolist()), int(target)] += 1
    return found


def trained_padded(step):
    """The same, as the packs have it side by side."""
    found = Counter()
    for batch in map(padded, step.packs):
        lines, places = batch.scored_rows, batch.scored_positions
        for line, place, target in zip(lines, places, batch.targets, strict=True):
            seen = batch.input_ids[line][: place + 1]
            assert batch.attention_mask[line, : place + 1].all()
            assert batch.positions[line, : place + 1].tolist() == list(range(len(seen)))
            found[int(batch.row_numbers[line, 0]), tuple(seen.tolist()), int(target)] += 1
    return found


@given(rows=token_rows(), layout=layouts())
def test_every_scored_token_is_a_target_exactly_once(rows, layout):
    numbers = [100 + i for i in range(len(rows))]
    step = make_step(rows, numbers, layout)
    assert trained(step) == trained_padded(step) == asked(rows, numbers)
    assert step.scored_tokens == sum(asked(rows, numbers).values())
    assert step.tokens == sum(len(row.input_ids) for row in rows)


@given(rows=token_rows(), layout=layouts())
def test_a_pack_holds_the_beginnings_of_its_rows_and_what_is_around_them_is_masked(rows, layout):
    seen = []
    for pack in make_step(rows, range(len(rows)), layout).packs:
        batch = padded(pack)
        assert batch.attention_mask.any(axis=0).all(), "wider than its longest row"
        lines = zip(batch.row_numbers[:, 0], batch.input_ids, batch.attention_mask, strict=True)
        for number, ids, mask in lines:
            used = int(mask.sum())
            assert ids[:used].tolist() == rows[number].input_ids[:used]
            assert mask.tolist() == [1] * used + [0] * (len(ids) - used)
            assert set(ids[used:].tolist()) <= {0}
            # Up to the last token that predicts a scored one, and no further.
            assert rows[number].scored[used]
            assert not any(rows[number].scored[used + 1 :])
            seen.append(int(number))
    predicting = [i for i, row in enumerate(rows) if any(row.scored[1:])]
    assert sorted(seen) == predicting


@given(rows=token_rows(), layout=layouts())
def test_what_is_computed_is_what_is_used_and_padding(rows, layout):
    step = make_step(rows, range(len(rows)), layout)
    used = sum(len(pack.input_ids) for pack in step.packs)
    assert step.computed_tokens == used + step.padded_tokens
    if layout.padded:
        assert step.computed_tokens == sum(padded(pack).input_ids.size for pack in step.packs)
    elif not layout.sizes:
        assert step.padded_tokens == 0


def test_a_step_by_hand():
    rows = [
        TokenRow(1, [7, 8, 9], [False, True, True], (1,)),
        TokenRow(2, [6, 5], [True, True], ()),
    ]
    (pack,) = make_step(rows, [40, 41], Layout(6, (4, 6))).packs
    assert pack.input_ids.tolist() == [7, 8, 6]
    assert pack.positions.tolist() == [0, 1, 0]
    assert pack.row_numbers.tolist() == [40, 40, 41]
    assert pack.row_starts.tolist() == [0, 2, 3]
    assert pack.scored_at.tolist() == [0, 1, 2]
    assert pack.targets.tolist() == [8, 9, 5]
    assert (pack.size, pack.longest) == (4, 2)
    batch = padded(pack)
    assert batch.input_ids.tolist() == [[7, 8], [6, 0]]
    assert batch.attention_mask.tolist() == [[1, 1], [1, 0]]
    assert batch.scored_rows.tolist() == [0, 0, 1]
    assert batch.scored_positions.tolist() == [0, 1, 0]
    assert batch.row_numbers[:, 0].tolist() == [40, 41]


def numbered_rows(count):
    """Rows of 3 to 9 tokens; the first is the row's number."""
    return [
        TokenRow(i + 1, [i, *[1] * (2 + i * 5 % 7)], [False, *[True] * (2 + i * 5 % 7)], (1,))
        for i in range(count)
    ]


def loader(count, batch_size, seed=0, capacity=64, batch_tokens=None):
    return StepLoader(numbered_rows(count), batch_size, seed, Layout(capacity), batch_tokens)


def visited(step):
    return [int(n) for pack in step.packs for n in pack.row_numbers[pack.row_starts[:-1]]]


def same(a, b):
    assert (a.scored_tokens, a.tokens) == (b.scored_tokens, b.tokens)
    assert len(a.packs) == len(b.packs)
    for one, other in zip(a.packs, b.packs, strict=True):
        for name in vars(one):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


ROWS, SIZES = st.integers(1, 40), st.integers(1, 50)
TOKENS = st.none() | st.integers(1, 200)


@given(count=ROWS, size=SIZES, tokens=TOKENS, epochs=st.integers(1, 3), seed=st.integers(0, 9))
def test_an_epoch_visits_every_row_once(count, size, tokens, epochs, seed):
    steps = loader(count, size, seed, batch_tokens=tokens)
    made = list(steps.steps(0, steps.steps_in(epochs)))
    for epoch in range(epochs):
        of_epoch = [made.pop(0) for _ in range(steps.steps_of_epoch(epoch))]
        assert sorted(n for step in of_epoch for n in visited(step)) == list(range(count))
        if tokens is None:
            assert [len(visited(step)) for step in of_epoch[:-1]] == [size] * (len(of_epoch) - 1)
        else:
            assert all(step.tokens <= tokens or len(visited(step)) == 1 for step in of_epoch)
    assert not made


@given(count=ROWS, size=SIZES, tokens=TOKENS, start=st.integers(0, 30), more=st.integers(1, 5))
def test_a_step_is_the_same_wherever_the_loader_began(count, size, tokens, start, more):
    whole = list(loader(count, size, batch_tokens=tokens).steps(0, start + more))[start:]
    resumed = loader(count, size, batch_tokens=tokens).steps(start, start + more)
    for one, other in zip(resumed, whole, strict=True):
        same(one, other)


@given(capacity=st.integers(1, 300), tokens=TOKENS)
def test_the_rows_of_a_step_do_not_depend_on_the_capacity(capacity, tokens):
    one = next(loader(30, 10, batch_tokens=tokens).steps(1, 2))
    other = next(loader(30, 10, capacity=capacity, batch_tokens=tokens).steps(1, 2))
    assert sorted(visited(one)) == sorted(visited(other))
    assert trained(one) == trained(other)


@pytest.mark.parametrize("tokens", [None, 60])
@pytest.mark.parametrize("epoch", [0, 1])
def test_the_order_depends_on_the_epoch_and_on_the_seed(epoch, tokens):
    def order(seed, epoch):
        return loader(40, 10, seed, batch_tokens=tokens).row_numbers(epoch)

    assert order(0, epoch) == order(0, epoch)
    assert order(0, epoch) != order(1, epoch)
    assert order(0, epoch) != order(0, epoch + 1)


def test_a_part_of_an_epoch_is_whole_steps():
    steps = loader(100, 10)
    assert [steps.steps_in(epochs) for epochs in (0.5, 0.51, 1, 1.1, 2.1, 3)] == [
        5, 6, 10, 11, 21, 30,
    ]  # fmt: skip


def test_lengths_are_those_of_the_rows_also_in_a_store():
    rows = numbered_rows(9)
    assert row_lengths(write_store(rows)) == row_lengths(rows) == [len(r.input_ids) for r in rows]


def test_sizes_are_fitted_to_the_rows_only_where_packs_have_fixed_sizes():
    free = loader(30, 10)
    assert free.fitted() is free
    fixed = StepLoader(numbered_rows(30), 10, 0, Layout(4096, (512, 1024, 2048, 4096)))
    assert fixed.fitted().layout == Layout(4096, (256,))
    assert fixed.fitted().row_numbers(0) == fixed.row_numbers(0)
