import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from nybble.evaluation.number import (
    LARGEST,
    Thresholds,
    colour,
    extract_number,
    fill_unreadable,
    number_metrics,
)
from nybble.runs.errors import InputError

PRICES = Thresholds(green_within=40, green_share=0.2, orange_within=80, orange_share=0.4)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("15", 15, 15),
        ("Price is $15.99", 15.99, 15.99),
        ("15$", 15, 15),
        ("15kg", 15, 15),
        ("US$15", 15, 15),
        ("It costs 12.", 12, 12),
        ("$1,234.50", 1234.5, 1234.5),
        ("1,234,567 people", 1234567, 1234567),
        ("1,2,3", 1, 3),
        ("1,23,456", 1, 456),
        ("1,234,5678", 1, 5678),
        ("12345,678", 12345, 678),
        ("0,500", 0, 500),
        ("-3.5", -3.5, -3.5),
        ("\u22127", -7, -7),
        ("-$3", -3, -3),
        ("$-3", -3, -3),
        ("-$ 3", -3, -3),
        ("- 15", 15, 15),
        ("10-15", 10, 15),
        ("(9)-4", 9, 4),
        (".5", 0.5, 0.5),
        ("wait...15", 15, 15),
        ("Total.15", 15, 15),
        ("2e3", 2000, 2000),
        ("1.5E-2 m", 0.015, 0.015),
        ("model 3000 costs $15", 3000, 15),
        ("the h264 camera is 80", 80, 80),
        ("GPT-4 says 20", 20, 20),
        ("caf\u00e95 sells 6", 6, 6),
        ("version 1.2.3", 1.2, 1.2),
        ("\u4ef7\u683c15\u5143", 15, 15),
    ],
)
def test_numbers_are_read_as_people_read_them(text: str, first: float, last: float) -> None:
    assert extract_number(text, "first") == first
    assert extract_number(text, "last") == last


@pytest.mark.parametrize(
    "text", ["", "no idea", "h264", "GPT-4", "$", "1e200", "1e999", "9" * 400, "_7"]
)
def test_no_number_is_none(text: str) -> None:
    assert extract_number(text, "first") is None
    assert extract_number(text, "last") is None


@given(
    st.integers(0, 10**12).map(lambda cents: cents / 100),
    st.sampled_from(["{:.2f}", "{:,.2f}", "${:,.2f}.", "about {:.2f} or so", "({:,.2f})"]),
    st.booleans(),
)
def test_a_written_number_is_read_back(value: float, form: str, negative: bool) -> None:
    text = form.format(value)
    if negative:
        text, value = text.replace(f"{value:,.2f}", f"-{value:,.2f}"), -value
        assume("-" in text)
    assert extract_number(text, "first") == value


@given(
    st.text(alphabet="0123456789.,-+eE$ aK\n\u2212", max_size=60),
    st.sampled_from(["first", "last"]),
)
def test_any_text_gives_a_moderate_number_or_none(text: str, how: str) -> None:
    value = extract_number(text, how)
    assert value is None or abs(value) <= LARGEST


def test_an_expression_says_where_the_number_is() -> None:
    text = "I have 3 reasons. Answer: $1,250. Not 7."
    assert extract_number(text, r"3 reasons. Answer: (\S+)") == 1250
    assert extract_number(text, r"Verdict: (\S+)") is None
    assert extract_number("Answer: none", r"Answer: (\S+)") is None
    assert extract_number("x", r"x(5)?") is None


@pytest.mark.parametrize("how", ["(", r"\d+", r"(\d)(\d)"])
def test_a_wrong_expression_is_refused(how: str) -> None:
    with pytest.raises(InputError, match=r"evaluate\.extract"):
        extract_number("5", how)


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        (20, 59.9, "green"),
        (20, 60, "orange"),
        (20, 100, "red"),
        (1000, 1199, "green"),
        (1000, 1200, "orange"),
        (1000, 601, "orange"),
        (1000, 600, "red"),
        (-1000, -1199, "green"),
        (-1000, -1400, "red"),
        (0, 39, "green"),
        (0, 79, "orange"),
        (0, 80, "red"),
    ],
)
def test_colours_take_the_kinder_of_absolute_and_relative(
    truth: float, prediction: float, expected: str
) -> None:
    assert colour(truth, prediction, PRICES) == expected


def test_with_relative_bounds_only_a_truth_of_zero_is_all_or_nothing() -> None:
    relative = Thresholds(0, 0.2, 0, 0.4)
    assert colour(0, 0, relative) == "green"
    assert colour(0, 1e-9, relative) == "red"


def test_an_unreadable_answer_counts_as_the_fallback() -> None:
    filled = fill_unreadable([3.0, None, 0.0], fallback=55.0)
    assert filled.dtype == np.float64
    assert filled.tolist() == [3.0, 55.0, 0.0]
    assert fill_unreadable([], 1.0).shape == (0,)


rows = st.lists(
    st.tuples(st.floats(-1e4, 1e4).map(lambda x: round(x, 2)), st.floats(-1e4, 1e4)),
    min_size=2,
    max_size=40,
)


@given(rows)
def test_metrics_agree_with_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    truth, guess = np.array(pairs).T
    assume(len(set(truth.tolist())) > 1)
    found = number_metrics(truth, guess, PRICES)
    assert found["mae"] == pytest.approx(mean_absolute_error(truth, guess))
    assert found["mse"] == pytest.approx(mean_squared_error(truth, guess))
    assert found["r2"] == pytest.approx(r2_score(truth, guess), rel=1e-6)


def test_shares_of_colours_are_of_all_rows() -> None:
    truth, guess = np.full(4, 100.0), np.array([100.0, 130.0, 150.0, 500.0])
    found = number_metrics(truth, guess, PRICES)
    assert (found["green"], found["orange"], found["red"]) == (0.5, 0.25, 0.25)


def test_r2_has_no_meaning_for_a_constant_truth() -> None:
    assert number_metrics(np.full(3, 0.1), np.arange(3.0), PRICES)["r2"] is None
    assert number_metrics(np.array([5.0]), np.array([5.0]), PRICES)["r2"] is None


def test_the_largest_answers_leave_the_metrics_finite() -> None:
    truth, guess = np.array([1.0, 1.0 + 1e-12]), np.array([LARGEST, -LARGEST])
    found = number_metrics(truth, guess, PRICES)
    assert found["r2"] is None
    assert all(math.isfinite(v) for k, v in found.items() if k != "r2" and v is not None)


@pytest.mark.parametrize(
    ("truth", "guess"),
    [([], []), ([1.0], [1.0, 2.0]), ([1.0, math.nan], [1.0, 1.0]), ([1.0], [1e200])],
)
def test_rows_that_cannot_be_compared_are_refused(truth: list[float], guess: list[float]) -> None:
    with pytest.raises(InputError):
        number_metrics(np.array(truth), np.array(guess), PRICES)
