import math

import numpy as np
import pytest

from nybble.evaluation.slices import FEWEST_ROWS, MOST_VALUES, OTHER, by_band, by_column, slicings
from nybble.evaluation.task import Item


def items(n: int, **columns) -> list[Item]:
    return [
        Item(i, "x" * i, float(i), {name: make(i) for name, make in columns.items()})
        for i in range(n)
    ]


def test_bands_hold_about_as_many_rows_each_and_name_their_ends() -> None:
    found = by_band("price", np.arange(1.0, 101.0))
    assert found.order == ("1.00 to 25.0", "26.0 to 50.0", "51.0 to 75.0", "76.0 to 100")
    assert [found.of_row.count(name) for name in found.order] == [25] * 4


def test_many_equal_values_share_a_band() -> None:
    found = by_band("price", np.array([5.0] * 60 + [9.0] * 20))
    assert found.order == ("5.00", "9.00")


def test_the_most_frequent_values_have_slices_and_the_rest_is_one() -> None:
    rows = items(200, kind=lambda i: f"k{i % 14}", rare=lambda i: "a" if i < 195 else f"r{i}")
    kinds = by_column(rows, "kind")
    assert len(kinds.order) == MOST_VALUES + 1 and kinds.order[-1] == OTHER
    rare = by_column(rows, "rare")
    assert rare.order == ("a",)
    assert sum(name == OTHER for name in rare.of_row) == 5 < FEWEST_ROWS


def test_a_column_of_many_numbers_is_banded_and_one_of_few_is_not() -> None:
    rows = items(100, weight=lambda i: i * 1.5, size=lambda i: i % 3)
    assert len(by_column(rows, "weight").order) == 4
    assert sorted(by_column(rows, "size").order) == ["0", "1", "2"]


def test_every_task_is_sliced_by_length_and_what_has_one_slice_is_left_out() -> None:
    rows = items(40, same=lambda i: "a")
    assert [one.by for one in slicings(rows, ["same"], "text")] == ["characters of the prompt"]
    assert [one.by for one in slicings(rows, [], "number")] == [
        "true value", "characters of the prompt",
    ]  # fmt: skip


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_has_no_place_among_numbers_is_in_no_band(odd) -> None:
    rows = items(100, weight=lambda i: odd if i % 10 == 0 else i * 1.5)
    found = by_column(rows, "weight")
    assert len(found.order) == 4
    assert [name == OTHER for name in found.of_row] == [i % 10 == 0 for i in range(100)]
    assert by_column(items(100, weight=lambda i: odd), "weight").order == (str(odd),)
    assert by_band("weight", np.full(20, odd)).order == ()
