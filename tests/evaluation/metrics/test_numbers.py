import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import (
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
    root_mean_squared_log_error,
)

from nybble.evaluation.metrics.numbers import (
    LARGEST,
    Thresholds,
    colour,
    fill_unreadable,
    number_metrics,
)
from nybble.runs.errors import InputError

PRICES = Thresholds(green_within=40, green_share=0.2, orange_within=80, orange_share=0.4)


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


@given(rows)
def test_rmsle_agrees_with_scikit_learn_where_it_has_a_meaning(
    pairs: list[tuple[float, float]],
) -> None:
    truth, guess = np.array(pairs).T
    found = number_metrics(truth, guess, PRICES)["rmsle"]
    if min(truth.min(), guess.min()) > -1:
        expected = root_mean_squared_error(np.log1p(truth), np.log1p(guess))
        assert found == pytest.approx(expected, abs=1e-12)
    else:
        assert found is None
    positive = number_metrics(np.abs(truth), np.abs(guess), PRICES)["rmsle"]
    expected = root_mean_squared_log_error(np.abs(truth), np.abs(guess))
    assert positive == pytest.approx(expected, abs=1e-12)


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
