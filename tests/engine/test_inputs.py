"""Filling a pack up to a fixed size changes nothing that a real row sees."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.batches import Pack, make_step
from nybble.data.packing import Layout, size_of
from nybble.data.render import TokenRow
from nybble.engine.inputs import (
    ALIGN_FROM,
    Inputs,
    Sizes,
    exact_sizes,
    fill_inputs,
    filled_starts,
    fixed_sizes,
    make_inputs,
)

pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
STEP = 256
SIZES = tuple(range(STEP, 4 * STEP + 1, STEP))


def row(length: int, every: int) -> TokenRow:
    """A row of `length` tokens, every so many of them scored, the last among them."""
    ids = [(7 * place + length) % 97 + 1 for place in range(length)]
    scored = [(length - 1 - place) % every == 0 for place in range(length)]
    return TokenRow(0, ids, scored, (1,))


@st.composite
def packs(draw: st.DrawFn) -> Pack:
    """One pack of a step in fixed sizes: short rows, long ones, or equal ones."""
    longest = draw(st.sampled_from([6, 200, 900, 2300]))
    lengths = draw(st.lists(st.integers(2, longest), min_size=1, max_size=12))
    if draw(st.booleans()):
        lengths = [lengths[0]] * len(lengths)
    rows = [row(length, draw(st.sampled_from([1, 3, 50]))) for length in lengths]
    step = make_step(rows, range(40, 40 + len(rows)), Layout(SIZES[-1], SIZES))
    return draw(st.sampled_from(step.packs))


def filled(pack: Pack, sizes: Sizes) -> tuple[Inputs, np.ndarray]:
    keys = np.arange(1, len(pack.input_ids) + 1, dtype=np.int32)
    inputs = make_inputs(sizes, CPU)
    inputs.words.fill_(-(2**30))  # what an earlier pack left there
    fill_inputs(inputs, pack, keys)
    return inputs, keys


@given(packs())
def test_fixed_sizes_hold_the_pack_and_are_few(pack: Pack) -> None:
    sizes = fixed_sizes(pack)
    assert len(pack.input_ids) <= sizes.tokens <= pack.size == size_of(pack.size, SIZES)
    assert len(pack.row_starts) - 1 <= sizes.rows
    assert len(pack.scored_at) <= sizes.scored < 2 * len(pack.scored_at) + 1
    assert pack.longest <= sizes.longest
    if sizes.aligned:
        assert sizes.longest >= ALIGN_FROM
        assert sizes.tokens == sizes.rows * sizes.longest


@given(packs())
def test_starts_ascend_and_end_at_the_tokens(pack: Pack) -> None:
    sizes = fixed_sizes(pack)
    starts = filled_starts(pack, sizes)
    lengths = np.diff(starts)
    assert starts[0] == 0 and starts[-1] == sizes.tokens
    assert len(starts) == sizes.rows + 1
    assert (lengths >= 0).all() and (lengths <= sizes.longest).all()


@given(packs())
def test_every_real_row_is_there_as_it_was(pack: Pack) -> None:
    sizes = fixed_sizes(pack)
    inputs, keys = filled(pack, sizes)
    starts = inputs.row_starts.tolist()
    for number, (a, b) in enumerate(zip(pack.row_starts, pack.row_starts[1:], strict=False)):
        begin, length = starts[number], b - a
        assert starts[number + 1] - begin >= length
        if not sizes.aligned:
            assert starts[number + 1] - begin == length
        place = slice(begin, begin + length)
        assert inputs.input_ids[place].tolist() == pack.input_ids[a:b].tolist()
        assert inputs.positions[place].tolist() == list(range(length))
        assert inputs.keys[place].tolist() == keys[a:b].tolist()
        slots = number * sizes.longest + np.arange(length)
        assert inputs.slots[place].tolist() == slots.tolist()


@given(packs())
def test_a_target_stands_where_it_stood_and_what_fills_up_is_not_scored(pack: Pack) -> None:
    inputs, _ = filled(pack, fixed_sizes(pack))
    count = len(pack.targets)
    assert inputs.targets[:count].tolist() == pack.targets.tolist()
    assert (inputs.targets[count:] == -1).all()
    assert ((inputs.scored_at >= 0) & (inputs.scored_at < inputs.sizes.tokens)).all()
    at = inputs.scored_at[:count].long()
    row_of = np.searchsorted(pack.row_starts, pack.scored_at, side="right") - 1
    assert inputs.positions[at].tolist() == pack.positions[pack.scored_at].tolist()
    assert torch.bucketize(at, inputs.row_starts.long(), right=True).sub(1).tolist() == list(row_of)


@given(packs())
def test_no_two_tokens_share_a_slot(pack: Pack) -> None:
    inputs, _ = filled(pack, fixed_sizes(pack))
    slots = inputs.slots.tolist()
    assert len(set(slots)) == len(slots)
    assert min(slots) >= 0 and max(slots) < inputs.sizes.rows * inputs.sizes.longest
    if inputs.sizes.aligned:
        assert slots == list(range(inputs.sizes.tokens))


@given(packs())
def test_exact_sizes_add_nothing(pack: Pack) -> None:
    inputs, keys = filled(pack, exact_sizes(pack))
    for name in ("input_ids", "positions", "row_starts", "scored_at", "targets"):
        assert getattr(inputs, name).tolist() == getattr(pack, name).tolist()
    assert inputs.keys.tolist() == keys.tolist()


def test_parts_are_aligned_for_vectorised_loads() -> None:
    inputs = make_inputs(Sizes(7, 2, 5, 4), CPU)
    for name in ("input_ids", "positions", "keys", "slots", "row_starts", "scored_at", "targets"):
        assert getattr(inputs, name).storage_offset() % 4 == 0


@pytest.mark.parametrize("lengths", [[512, 500], [1024], [700, 690, 600]])
def test_long_rows_that_fill_the_pack_are_aligned(lengths: list[int]) -> None:
    pack = make_step([row(n + 1, 1) for n in lengths], range(9), Layout(2304, (2304,))).packs[0]
    assert fixed_sizes(pack).aligned


@pytest.mark.parametrize("lengths", [[400, 400], [1000, 520, 520, 200]])
def test_short_rows_and_unlike_ones_are_not(lengths: list[int]) -> None:
    pack = make_step([row(n + 1, 1) for n in lengths], range(9), Layout(2304, (2304,))).packs[0]
    assert not fixed_sizes(pack).aligned
