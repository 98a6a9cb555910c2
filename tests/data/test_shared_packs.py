"""Packs without fixed sizes: the same for any number of processes, and shared out evenly."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.batches import make_step
from nybble.data.packing import Layout, group_rows
from nybble.data.render import TokenRow
from nybble.data.smaller_packs import split_pack

LENGTHS = st.lists(st.integers(0, 90), min_size=1, max_size=60)


@given(LENGTHS, st.integers(1, 9), st.booleans(), st.integers(20, 200))
def test_packs_do_not_depend_on_the_processes(lengths, processes, padded, capacity) -> None:
    layout = Layout(capacity, padded=padded)
    alone = group_rows(lengths, layout)
    shared = group_rows(lengths, replace(layout, processes=processes))
    assert [(g.rows, g.size) for g in shared] == [(g.rows, g.size) for g in alone]
    assert all(group.process < processes for group in shared)
    assert all(g.size <= capacity or len(g.rows) == 1 for g in alone)
    rows = sorted(i for group in alone for i in group.rows)
    assert rows == [i for i, n in enumerate(lengths) if n]


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
@given(st.lists(st.integers(20, 40), min_size=40, max_size=60))
def test_work_is_shared_evenly(processes: int, lengths) -> None:
    shared = group_rows(lengths, Layout(128, processes=processes))
    work = [sum(g.size for g in shared if g.process == p) for p in range(processes)]
    assert max(work) <= 1.25 * sum(lengths) / processes + 40


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 30)), min_size=1, max_size=20),
    st.integers(8, 100), st.booleans(),
)  # fmt: skip
def test_the_parts_of_a_pack_hold_what_it_held(shapes, capacity, padded) -> None:
    rows = [
        TokenRow(i, list(range(100 * i, 100 * i + a + b)), [False] * a + [True] * b, (1,))
        for i, (a, b) in enumerate(shapes)
    ]
    step = make_step(rows, range(len(rows)), Layout(10_000))
    for pack in step.packs:
        parts = split_pack(pack, Layout(capacity, padded=padded))
        assert all(p.size <= capacity or len(p.row_starts) == 2 for p in parts)
        assert _contents(parts) == _contents([pack])


def _contents(packs) -> list[tuple]:
    """Each row's tokens, positions and number, and what is predicted from where in it."""
    found = []
    for pack in packs:
        for start, stop in zip(pack.row_starts[:-1], pack.row_starts[1:], strict=True):
            scored = np.flatnonzero((pack.scored_at >= start) & (pack.scored_at < stop))
            found.append((
                tuple(pack.row_numbers[start:stop]), tuple(pack.input_ids[start:stop]),
                tuple(pack.positions[start:stop]), tuple(pack.scored_at[scored] - start),
                tuple(pack.targets[scored]),
            ))  # fmt: skip
    return sorted(found)
