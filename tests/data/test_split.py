import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nybble.data.examples import Pair
from nybble.data.split import split_examples
from nybble.runs.errors import InputError


def pairs(count: int, first: int = 1) -> list[Pair]:
    return [Pair(number, f"p{number}", "c", {}) for number in range(first, first + count)]


def numbers(part) -> list[int]:
    return [example.number for example in part]


COUNTS = st.integers(0, 40)


@given(rows=st.integers(1, 100), validation=COUNTS, test=COUNTS, seed=st.integers(0, 99))
def test_every_row_lands_in_exactly_one_part(rows, validation, test, seed):
    assume(validation + test < rows)
    splits = split_examples(pairs(rows), validation, test, seed)
    parts = [numbers(splits.train), numbers(splits.validation), numbers(splits.test)]
    assert sorted(n for part in parts for n in part) == list(range(1, rows + 1))
    assert [len(part) for part in parts] == [rows - validation - test, validation, test]
    assert all(part == sorted(part) for part in parts)


@given(validation=COUNTS, other=COUNTS, seed=st.integers(0, 99))
def test_test_rows_stay_when_the_size_of_the_validation_part_changes(validation, other, seed):
    first = split_examples(pairs(100), validation, 20, seed)
    second = split_examples(pairs(100), other, 20, seed)
    assert first.test == second.test


@given(st.integers(0, 99))
def test_the_same_seed_gives_the_same_parts(seed):
    assert split_examples(pairs(50), 5, 10, seed) == split_examples(pairs(50), 5, 10, seed)


def test_another_seed_gives_other_parts():
    parts = {tuple(numbers(split_examples(pairs(200), 20, 20, seed).test)) for seed in range(5)}
    assert len(parts) == 5


def test_rows_are_drawn_from_everywhere():
    taken = numbers(split_examples(pairs(1000), 0, 200, 0).test)
    # 200 of 1,000 without replacement: the mean of a fair draw is 500.5, its deviation 18.
    assert abs(sum(taken) / 200 - 500.5) < 5 * 18.3


def test_parts_with_a_source_of_their_own_take_nothing_from_the_training_rows():
    validation, test = pairs(3, first=101), pairs(4, first=201)
    splits = split_examples(pairs(10), validation, test, 0)
    assert numbers(splits.train) == list(range(1, 11))
    assert (splits.validation, splits.test) == (validation, test)


@pytest.mark.parametrize(("validation", "test"), [(5, 5), (0, 10), (11, 0), (10**9, 1)])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(validation, test):
    with pytest.raises(InputError, match="only 10: none is left to train on") as caught:
        split_examples(pairs(10), validation, test, 0)
    assert f"{validation + test:,} rows" in caught.value.message
