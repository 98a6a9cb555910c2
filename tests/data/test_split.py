import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nybble.data.examples import Conversation, Pair
from nybble.data.split import row_keys, split_examples
from nybble.recipe.row_parts import RowRange
from nybble.runs.errors import InputError


def pairs(count: int, first: int = 1) -> list[Pair]:
    return [Pair(number, f"p{number}", "c", {}) for number in range(first, first + count)]


def numbers(part) -> list[int]:
    return [example.number for example in part]


def in_column(values, column="tree") -> list[Pair]:
    return [Pair(n, f"p{n}", "c", {column: value}) for n, value in enumerate(values, 1)]


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


PARTS = st.one_of(st.integers(0, 15), st.floats(0.05, 0.3))


@given(
    rows=st.integers(40, 80), more=st.integers(1, 60), validation=PARTS, test=PARTS,
    seed=st.integers(0, 99),
)  # fmt: skip
def test_no_row_that_was_trained_on_is_judged_on_after_rows_are_appended(
    rows, more, validation, test, seed
):
    before = split_examples(pairs(rows), validation, test, seed)
    after = split_examples(pairs(rows + more), validation, test, seed)
    assert not set(numbers(before.train)) & set(numbers([*after.validation, *after.test]))
    assert not set(numbers(before.validation)) & set(numbers(after.test))


@given(rows=st.integers(20, 200), more=st.integers(1, 200), share=st.floats(0.01, 0.9))
def test_a_share_keeps_every_row_where_it_is(rows, more, share):
    before = set(numbers(split_examples(pairs(rows), 0, share, 3).test))
    after = set(numbers(split_examples(pairs(rows + more), 0, share, 3).test))
    assert {n for n in after if n <= rows} == before


def test_few_rows_leave_a_part_of_fixed_size_when_few_are_appended():
    before = set(numbers(split_examples(pairs(10_000), 0, 1000, 0).test))
    after = set(numbers(split_examples(pairs(10_100), 0, 1000, 0).test))
    # Of 100 new rows about a tenth are drawn, and give back as many; five deviations are 15.
    assert len(before) == len(after) == 1000
    assert len(before - after) <= 25


def test_shares_are_as_large_as_asked_for():
    splits = split_examples(pairs(10_000), 0.1, 0.2, 0)
    assert abs(len(splits.test) - 2000) < 5 * 40
    assert abs(len(splits.validation) - 800) < 5 * 27


@given(st.integers(1, 500), st.text(max_size=5))
def test_no_two_rows_have_the_same_key(rows, seeded):
    assert len(set(row_keys(rows, seeded).tolist())) == rows


def test_keys_are_those_of_splitmix64():
    """The outputs of the published reference, written here once more, slowly."""
    first, second = row_keys(2, "test part of 0").tolist()
    assert _mixed(_unmixed(first)) == first
    assert _mixed((_unmixed(first) + 0x9E3779B97F4A7C15) % 2**64) == second


def _mixed(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def _unmixed(z: int) -> int:
    z = z ^ (z >> 31) ^ (z >> 62)
    z = z * pow(0x94D049BB133111EB, -1, 2**64) % 2**64
    z = z ^ (z >> 27) ^ (z >> 54)
    z = z * pow(0xBF58476D1CE4E5B9, -1, 2**64) % 2**64
    return z ^ (z >> 30) ^ (z >> 60)


TREES = st.lists(st.integers(0, 12), min_size=20, max_size=80)


@given(trees=TREES, validation=st.integers(0, 4), test=st.integers(1, 4), seed=st.integers(0, 9))
def test_groups_stay_whole(trees, validation, test, seed):
    rows = in_column(trees)
    try:
        splits = split_examples(rows, validation, test, seed, split_by="tree")
    except InputError:
        return
    parts = [{row.columns["tree"] for row in part} for part in vars(splits).values()]
    assert sum(map(len, parts)) == len(set(trees))
    assert sorted(numbers([*splits.train, *splits.validation, *splits.test])) == numbers(rows)
    assert len(splits.test) >= test
    assert len(splits.validation) >= validation


@given(trees=TREES, more=TREES, seed=st.integers(0, 9))
def test_groups_that_were_trained_on_stay_so_when_new_groups_are_appended(trees, more, seed):
    more = [f"new {tree}" for tree in more]
    try:
        before = split_examples(in_column(trees), 0, 3, seed, split_by="tree")
        after = split_examples(in_column([*trees, *more]), 0, 3, seed, split_by="tree")
    except InputError:
        return
    assert not set(numbers(before.train)) & set(numbers(after.test))


def test_a_row_without_its_group_is_refused():
    rows = in_column(["a", None, "b"])
    with pytest.raises(InputError, match=r"^rows.jsonl: row 2 has no 'tree' \(data.split_by\)"):
        split_examples(rows, 0, 1, 0, split_by="tree", source="rows.jsonl")


@pytest.mark.parametrize("as_text", [False, True], ids=["numbers", "texts"])
def test_parts_can_be_ranges_of_a_column(as_text):
    ids = [str(n) if as_text else n for n in range(1, 21)]
    splits = split_examples(
        in_column(ids, "id"),
        RowRange(column="id", first=16),
        RowRange(column="id", first=5, last=9),
        0,
        rows=RowRange(column="id", first=3),
    )
    assert numbers(splits.test) == [5, 6, 7, 8, 9]
    assert numbers(splits.validation) == [16, 17, 18, 19, 20]
    assert numbers(splits.train) == [3, 4, 10, 11, 12, 13, 14, 15]


def test_rows_left_out_are_not_drawn():
    rows = in_column(range(1, 101), "id")
    splits = split_examples(rows, 20, 20, 0, rows=RowRange(column="id", last=50))
    assert max(numbers([*splits.train, *splits.validation, *splits.test])) == 50
    assert len(splits.train) == 10


def test_a_range_of_what_is_no_number_is_refused():
    rows = in_column([1, "two"], "id")
    with pytest.raises(InputError, match=r"row 2: id = 'two' is not a number"):
        split_examples(rows, 0, RowRange(column="id", last=1), 0)


def test_a_range_of_all_rows_leaves_nothing_to_train_on():
    rows = in_column([1, 2], "id")
    with pytest.raises(InputError, match="none is left to train on"):
        split_examples(rows, 0, RowRange(column="id", last=5), 0)


def test_threads_with_the_same_first_turn_stay_together():
    def chat(number, first):
        said = [("system", "be brief"), ("user", first), ("assistant", f"answer {number}")]
        return Conversation(number, tuple({"role": r, "content": c} for r, c in said), {})

    rows = [chat(n, f"question {n // 3}") for n in range(60)]
    splits = split_examples(rows, 0, 9, 0, split_by="first_turn")
    trees = [{row.messages[1]["content"] for row in part} for part in (splits.train, splits.test)]
    assert len(splits.test) == 9
    assert not trees[0] & trees[1]
