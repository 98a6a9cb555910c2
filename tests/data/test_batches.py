from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.batches import StepLoader, make_step
from nybble.data.render import TokenRow

PAD = 0


@st.composite
def token_rows(draw, most=12):
    rows = []
    for number in range(draw(st.integers(1, most))):
        # Pad is also an ordinary id here, as where a model's pad token is its stop token.
        ids = draw(st.lists(st.integers(0, 9), min_size=1, max_size=20))
        scored = draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
        rows.append(TokenRow(number + 1, ids, scored, (0,)))
    return rows


def asked(rows, numbers):
    """Every scored token that something precedes: which row, what is read, what is to be said."""
    return Counter(
        (number, tuple(row.input_ids[:place]), row.input_ids[place])
        for row, number in zip(rows, numbers, strict=True)
        for place in range(1, len(row.input_ids))
        if row.scored[place]
    )


def trained(step):
    found = Counter()
    for batch in step.micro_batches:
        lines, places = batch.scored_rows, batch.scored_positions
        for line, place, target in zip(lines, places, batch.targets, strict=True):
            seen = batch.input_ids[line][: place + 1]
            assert batch.attention_mask[line, place + 1] == 1
            found[int(batch.row_numbers[line]), tuple(seen.tolist()), int(target)] += 1
    return found


@given(rows=token_rows(), micro_batch_tokens=st.integers(1, 200))
def test_every_scored_token_is_a_target_exactly_once(rows, micro_batch_tokens):
    numbers = [100 + i for i in range(len(rows))]
    step = make_step(rows, numbers, micro_batch_tokens, PAD)
    assert trained(step) == asked(rows, numbers)
    assert step.scored_tokens == sum(asked(rows, numbers).values())
    assert step.tokens == sum(len(row.input_ids) for row in rows)


@given(rows=token_rows(), micro_batch_tokens=st.integers(1, 200))
def test_every_row_is_there_once_and_what_is_around_it_is_masked_padding(rows, micro_batch_tokens):
    step = make_step(rows, range(len(rows)), micro_batch_tokens, PAD)
    seen = []
    for batch in step.micro_batches:
        for number, ids, mask in zip(
            batch.row_numbers, batch.input_ids, batch.attention_mask, strict=True
        ):
            length = len(rows[number].input_ids)
            assert ids[:length].tolist() == rows[number].input_ids
            assert mask.tolist() == [1] * length + [0] * (len(ids) - length)
            assert set(ids[length:].tolist()) <= {PAD}
            seen.append(int(number))
    assert sorted(seen) == list(range(len(rows)))


@given(rows=token_rows(), micro_batch_tokens=st.integers(1, 200))
def test_a_micro_batch_keeps_its_bound_unless_it_is_one_long_row(rows, micro_batch_tokens):
    for batch in make_step(rows, range(len(rows)), micro_batch_tokens, PAD).micro_batches:
        assert batch.input_ids.size <= micro_batch_tokens or len(batch.input_ids) == 1
        assert batch.attention_mask.any(axis=0).all(), "wider than its longest row"


def test_rows_of_like_length_are_computed_together():
    rows = [TokenRow(i, [5] * length, [True] * length, (0,)) for i, length in enumerate([2, 9, 2])]
    widths = [b.input_ids.shape for b in make_step(rows, [0, 1, 2], 10, PAD).micro_batches]
    assert widths == [(1, 9), (2, 2)]


def test_a_step_by_hand():
    rows = [
        TokenRow(1, [7, 8, 9], [False, True, True], (1,)),
        TokenRow(2, [6, 5], [True, True], ()),
    ]
    (batch,) = make_step(rows, [40, 41], 6, PAD).micro_batches
    assert batch.input_ids.tolist() == [[7, 8, 9], [6, 5, PAD]]
    assert batch.scored_rows.tolist() == [0, 0, 1]
    assert batch.scored_positions.tolist() == [0, 1, 0]
    assert batch.targets.tolist() == [8, 9, 5]
    assert batch.row_numbers.tolist() == [40, 41]


def numbered_rows(count):
    return [TokenRow(i + 1, [i, 1, 2], [False, True, True], (1,)) for i in range(count)]


def loader(count, batch_size, seed=0, micro_batch_tokens=64):
    return StepLoader(numbered_rows(count), batch_size, seed, micro_batch_tokens, PAD)


def visited(step):
    return [int(n) for batch in step.micro_batches for n in batch.row_numbers]


def same(a, b):
    assert (a.scored_tokens, a.tokens) == (b.scored_tokens, b.tokens)
    assert len(a.micro_batches) == len(b.micro_batches)
    for one, other in zip(a.micro_batches, b.micro_batches, strict=True):
        for name in vars(one):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


ROWS, SIZES = st.integers(1, 40), st.integers(1, 50)


@given(count=ROWS, batch_size=SIZES, epochs=st.integers(1, 3), seed=st.integers(0, 9))
def test_an_epoch_visits_every_row_once(count, batch_size, epochs, seed):
    steps = loader(count, batch_size, seed)
    per_epoch = steps.steps_per_epoch
    assert per_epoch == -(-count // batch_size)
    made = list(steps.steps(0, epochs * per_epoch))
    assert len(made) == epochs * per_epoch
    for epoch in range(epochs):
        of_epoch = made[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert sorted(n for step in of_epoch for n in visited(step)) == list(range(count))
        assert all(len(visited(step)) == batch_size for step in of_epoch[:-1])


@given(count=ROWS, batch_size=SIZES, start=st.integers(0, 30), more=st.integers(1, 5))
def test_a_step_is_the_same_wherever_the_loader_began(count, batch_size, start, more):
    whole = list(loader(count, batch_size).steps(0, start + more))[start:]
    for one, other in zip(loader(count, batch_size).steps(start, start + more), whole, strict=True):
        same(one, other)


@given(micro_batch_tokens=st.integers(1, 300))
def test_the_rows_of_a_step_do_not_depend_on_the_size_of_micro_batches(micro_batch_tokens):
    one = next(loader(30, 10).steps(1, 2))
    other = next(loader(30, 10, micro_batch_tokens=micro_batch_tokens).steps(1, 2))
    assert sorted(visited(one)) == sorted(visited(other))
    assert trained(one) == trained(other)


@pytest.mark.parametrize("start", [0, 4])
def test_the_order_depends_on_the_epoch_and_on_the_seed(start):
    def order(seed, first):
        return [visited(step) for step in loader(40, 10, seed).steps(first, first + 4)]

    assert order(0, start) == order(0, start)
    assert order(0, start) != order(1, start)
    assert order(0, start) != order(0, start + 4)
