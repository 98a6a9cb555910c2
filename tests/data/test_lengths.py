import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.lengths import (
    cut_off,
    cut_offs,
    histogram,
    length_statistics,
    number_tokens,
    padding_wasted,
)

ROWS = st.lists(st.integers(1, 3000), min_size=1, max_size=60)


def array(rows):
    return np.array(rows, np.int64)


@pytest.mark.parametrize(
    ("longest", "last"),
    [(5, [64]), (64, [64]), (111, [64, 96, 110, 128]), (513, [384, 512, 768]),
     (1500, [768, 1024, 1536]), (2049, [1536, 2048, 3072])],
)  # fmt: skip
def test_cut_offs_go_up_to_the_first_that_cuts_no_row(longest, last):
    assert cut_offs(array([1, longest]))[-len(last) :] == last


@given(rows=ROWS, tokens=st.integers(1, 3500), batch=st.integers(1, 9))
def test_a_cut_off_against_plain_counting(rows, tokens, batch):
    line = cut_off(array(rows), tokens, batch, seed=0)
    cut = [min(length, tokens) for length in rows]
    assert line.rows_cut == pytest.approx(sum(n > tokens for n in rows) / len(rows))
    assert line.tokens_kept == line.step_time == pytest.approx(sum(cut) / sum(rows))
    assert line.memory == pytest.approx(max(cut) / max(rows))
    assert 0 <= line.padding_wasted < 1


def test_padding_is_that_of_batches_padded_to_their_longest():
    assert padding_wasted(array([7, 7, 7]), 2, 0) == 0
    assert padding_wasted(array([10, 5]), 2, 0) == pytest.approx(0.25)
    assert padding_wasted(array([10, 5]), 1, 0) == 0


@given(ROWS)
def test_the_histogram_counts_every_row_once(rows):
    counts, edges = histogram(array(rows))
    assert sum(counts) == len(rows)
    assert len(edges) == len(counts) + 1 <= 42
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        last = high == edges[-1]
        assert count == sum(low <= n < high or (last and n == high) for n in rows)


@given(ROWS)
def test_the_recommended_cut_off_leaves_99_of_100_rows_whole(rows):
    found = length_statistics(array(rows), 4, 0)
    best = found["recommended"]["max_length"]
    smaller = [line["tokens"] for line in found["cut_offs"] if line["tokens"] < best]
    assert sum(n > best for n in rows) <= 0.01 * len(rows)
    assert all(sum(n > tokens for n in rows) > 0.01 * len(rows) for tokens in smaller)


def test_the_recommendation_says_why():
    lengths = array([50] * 995 + [300] * 5)
    assert length_statistics(lengths, 8, 0)["recommended"] == {
        "max_length": 64,
        "reason": "5 rows are longer (0.5%); a step takes 98% of the time and its longest row "
        "21% of the memory",
    }
    assert length_statistics(array([9]), 8, 0)["recommended"]["reason"] == (
        "no row is longer: the longest has 9 tokens"
    )


def test_percentiles_are_lengths_of_rows():
    found = length_statistics(array(range(1, 101)), 8, 0)["percentiles"]
    assert (found["5"], found["50"], found["99"]) == (6, 51, 100)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "single", "most"), [("mini_tokenizer", 1000, 1), ("qwen_tokenizer", 10, 3),
                                 ("llama_tokenizer", 1000, 1)],
)  # fmt: skip
def test_how_numbers_are_split(request, name, single, most):
    found = number_tokens(request.getfixturevalue(name))
    assert (found["single"], found["most"]) == (single, most)
