import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data import store as store_module
from nybble.data.render import TokenRow
from nybble.data.store import StoreWriter, open_store, write_store


@st.composite
def token_rows(draw):
    ids = draw(st.lists(st.integers(0, 2**31 - 1), max_size=30))
    scored = draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    prompts = draw(st.lists(st.integers(0, 2**31 - 1), max_size=3))
    return TokenRow(draw(st.integers(1, 2**40)), ids, scored, tuple(prompts))


ROWS = st.lists(token_rows(), max_size=12)


def written(rows, cuts, folder=None):
    """The store of `rows`, added in pieces."""
    edges = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    with StoreWriter(folder) as writer:
        for begin, end in itertools.pairwise(edges):
            writer.add(rows[begin:end])
        return writer.finish()


@given(rows=ROWS, cuts=st.lists(st.integers(0, 12), max_size=4))
def test_rows_come_back_as_they_were_however_they_were_added(rows, cuts):
    store = written(rows, cuts)
    assert list(store) == rows
    assert store.fingerprint == write_store(rows).fingerprint
    for index, row in enumerate(rows):
        assert store.ids(index).tolist() == row.input_ids
        assert store.scored(index).tolist() == row.scored
    assert store.lengths.tolist() == [len(row.input_ids) for row in rows]
    assert store.numbers.tolist() == [row.number for row in rows]
    assert store.tokens == sum(len(row.input_ids) for row in rows)
    assert store.scored_tokens == sum(sum(row.scored) for row in rows)
    assert store.longest == max((len(row.input_ids) for row in rows), default=0)


@given(one=ROWS, other=ROWS)
def test_fingerprints_are_equal_just_where_ids_masks_and_order_are(one, other):
    def meaning(rows):
        return [(row.input_ids, row.scored) for row in rows]

    same = write_store(one).fingerprint == write_store(other).fingerprint
    assert same == (meaning(one) == meaning(other))


def test_fingerprints_know_where_a_row_ends():
    whole = TokenRow(1, [1, 2, 3, 4], [True] * 4, (0,))
    halves = [TokenRow(1, ids, [True] * 2, (0,)) for ids in ([1, 2], [3, 4])]
    assert write_store([whole]).fingerprint != write_store(halves).fingerprint


NUMBERED = [TokenRow(n, [n, 1, 2][: n % 3 + 1], [True] * (n % 3 + 1), (n,)) for n in range(1, 60)]


@pytest.mark.parametrize("largest_in_memory", [0, 10**9])
def test_files_hold_the_same_as_memory(tmp_path, monkeypatch, largest_in_memory):
    monkeypatch.setattr(store_module, "LARGEST_IN_MEMORY_BYTES", largest_in_memory)
    in_memory = write_store(NUMBERED)
    for store in (written(NUMBERED, [7, 20], tmp_path / "a"), open_store(tmp_path / "a")):
        assert store == in_memory == NUMBERED
        assert store.digests == in_memory.digests
        assert isinstance(store.ids(0), np.memmap) == (largest_in_memory == 0)


def test_an_empty_store_is_a_store(tmp_path):
    write_store([], tmp_path / "empty")
    store = open_store(tmp_path / "empty")
    assert (len(store), store.tokens, store.scored_tokens, store.longest) == (0, 0, 0, 0)
    assert store == []


def test_slices_and_places_from_the_end():
    store = write_store(NUMBERED)
    assert store[:3] == NUMBERED[:3]
    assert store[5:1:-2] == NUMBERED[5:1:-2]
    assert store[-1] == NUMBERED[-1]
    with pytest.raises(IndexError):
        store[len(NUMBERED)]


def test_rows_are_plain_python_values():
    row = write_store(NUMBERED)[2]
    assert {type(i) for i in row.input_ids} == {int}
    assert {type(s) for s in row.scored} == {bool}
    assert (type(row.number), {type(n) for n in row.prompt_lengths}) == (int, {int})


def test_a_missing_file_is_an_error(tmp_path):
    write_store(NUMBERED, tmp_path / "a")
    (tmp_path / "a" / "scored").unlink()
    with pytest.raises(OSError, match="scored"):
        open_store(tmp_path / "a")
