import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nybble.evaluation.statistics import (
    Interval,
    mcnemar,
    mean_interval,
    paired_share_interval,
    share_interval,
)
from nybble.runs.errors import InputError

passes = st.lists(st.booleans(), min_size=1, max_size=60).map(np.array)
two_models = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60).map(
    lambda rows: np.array(rows).T
)


def rows(passed: int, n: int) -> np.ndarray:
    return np.arange(n) < passed


def pair(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.repeat([True, True, False, False], [both, only_a, only_b, neither])
    b = np.repeat([True, False, True, False], [both, only_a, only_b, neither])
    return a, b


@given(passes, st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_a_share_has_scipys_exact_interval(passed: np.ndarray, level: float) -> None:
    expected = stats.binomtest(int(passed.sum()), len(passed)).proportion_ci(level, "exact")
    for form in (passed, passed.astype(np.float64)):
        found = share_interval(form, level)
        assert found.value == pytest.approx(passed.mean())
        assert [found.low, found.high] == pytest.approx([expected.low, expected.high], abs=1e-9)


def test_no_pass_and_no_failure_still_leave_room() -> None:
    none, all_of_them = share_interval(rows(0, 500)), share_interval(rows(500, 500))
    assert (none.low, none.value) == (0.0, 0.0) and none.high == pytest.approx(3.7 / 500, rel=0.01)
    assert all_of_them == Interval(1.0, 1.0 - none.high, 1.0)
    assert share_interval(rows(1, 1)) == Interval(1.0, pytest.approx(0.025), 1.0)


@pytest.mark.parametrize("n", [5, 20, 100])
def test_no_true_share_is_missed_more_often_than_it_says(n: int) -> None:
    found = [share_interval(rows(k, n)) for k in range(n + 1)]
    for true in np.linspace(0.01, 0.99, 50):
        held = [interval.low <= true <= interval.high for interval in found]
        assert stats.binom.pmf(np.arange(n + 1), n, true)[held].sum() >= 0.95


@given(two_models)
def test_a_paired_difference_flips_and_never_says_more_than_mcnemar(ab: np.ndarray) -> None:
    a, b = ab
    one, back = paired_share_interval(a, b), paired_share_interval(b, a)
    assert one.value == pytest.approx(a.mean() - b.mean())
    assert -1.0 <= one.low <= one.value <= one.high <= 1.0
    assert [one.low, one.high] == pytest.approx([-back.high, -back.low])
    assert not one.excludes_zero or mcnemar(a, b) <= 0.05


def test_two_models_that_pass_the_same_rows_are_not_shown_to_be_the_same() -> None:
    found = paired_share_interval(*pair(60, 0, 0, 40))
    assert found.value == 0.0 and found.low == -found.high and 0.02 < found.high < 0.04


def test_a_clear_difference_is_shown_with_a_width_on_both_sides() -> None:
    found = paired_share_interval(*pair(10, 20, 0, 70))
    assert found.value == pytest.approx(0.2)
    assert 0.1 < found.low < 0.15 and 0.25 < found.high < 0.3


def coverage(n: int, only_a: float, only_b: float) -> float:
    """Exact: every count of rows that one alone passes, with its probability."""
    held = 0.0
    for a in range(n + 1):
        chance_a = stats.binom.pmf(a, n, only_a)
        if chance_a < 1e-7:
            continue
        for b in range(n - a + 1):
            chance = chance_a * stats.binom.pmf(b, n - a, only_b / (1.0 - only_a))
            if chance > 1e-8:
                found = paired_share_interval(*pair(0, a, b, n - a - b))
                held += chance * (found.low <= only_a - only_b <= found.high)
    return held


@pytest.mark.parametrize(
    ("n", "only_a", "only_b"),
    [(20, 0.1, 0.1), (20, 0.3, 0.1), (50, 0.02, 0.02), (50, 0.2, 0.05), (50, 0.4, 0.0)],
)
def test_a_paired_difference_is_covered_about_as_often_as_it_says(
    n: int, only_a: float, only_b: float
) -> None:
    assert coverage(n, only_a, only_b) >= 0.94


def test_scores_in_bounds_that_are_all_equal_leave_the_room_that_passes_do() -> None:
    ones = np.ones(30)
    assert mean_interval(ones, bounds=(0, 1)) == share_interval(ones)
    half = mean_interval(np.full(30, 0.5), bounds=(0, 1))
    assert half.low == pytest.approx(1 - half.high) and 0.4 < half.low < 0.5
    spread = mean_interval(np.array([1.0, 1.0, 0.9]), bounds=(0, 1))
    assert spread.high == 1.0 and math.isfinite(spread.low)
    with pytest.raises(InputError, match="within 0 to 1"):
        mean_interval(np.array([0.2, 1.1]), bounds=(0, 1))


@pytest.mark.parametrize("passed", [[], [0.5], [1.0, math.nan]])
def test_what_is_neither_passed_nor_failed_is_refused(passed: list[float]) -> None:
    with pytest.raises(InputError):
        share_interval(np.array(passed))
