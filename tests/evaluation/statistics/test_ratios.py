import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.evaluation.statistics import (
    Interval,
    linearised,
    mean_interval,
    paired_interval,
    paired_p,
    paired_ratio_interval,
    paired_ratio_p,
    ratio_interval,
)
from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]
FEW = 500

losses_and_tokens = st.lists(
    st.tuples(st.floats(0, 1e4), st.integers(1, 3000)), min_size=2, max_size=30
).map(lambda rows: np.array(rows, np.float64).T)


def ends(interval: Interval) -> list[float]:
    return [interval.value, interval.low, interval.high]


@given(losses_and_tokens)
def test_the_value_is_sum_over_sum_and_within_a_finite_interval(rows: Floats) -> None:
    sums, tokens = rows
    found = ratio_interval(sums, tokens, resamples=FEW)
    assert found.value == pytest.approx(math.fsum(sums) / math.fsum(tokens), rel=1e-9)
    assert all(math.isfinite(end) for end in ends(found))
    assert found.low <= found.value <= found.high


@given(losses_and_tokens, st.sampled_from([1.0, 7.0, 1e-3]))
def test_with_equal_weights_it_is_the_interval_of_the_mean(rows: Floats, weight: float) -> None:
    sums = np.round(rows[0])
    mean = np.array(ends(mean_interval(sums, resamples=FEW)))
    ratio = ratio_interval(sums, np.full(len(sums), weight), resamples=FEW)
    assert np.array(ends(ratio)) * weight == pytest.approx(mean, rel=1e-6, abs=1e-6)


@given(losses_and_tokens, st.sampled_from([1e-100, 0.5, 1e100]), st.sampled_from([0.25, 1e6]))
def test_the_units_of_losses_and_weights_do_not_matter(
    rows: Floats, unit: float, weight_unit: float
) -> None:
    sums, tokens = np.round(rows)
    plain = ends(ratio_interval(sums, tokens, resamples=FEW))
    scaled = ratio_interval(sums * unit, tokens * weight_unit, resamples=FEW)
    assert np.array(ends(scaled)) / unit * weight_unit == pytest.approx(plain, rel=1e-6, abs=1e-9)


def test_it_agrees_with_the_linearised_normal_interval_where_that_is_right() -> None:
    rng = np.random.default_rng(3)
    tokens = np.ceil(rng.uniform(50, 150, 4000))
    sums = tokens * rng.normal(2.0, 0.3, 4000)
    found = ratio_interval(sums, tokens, resamples=4000)
    ratio = sums.sum() / tokens.sum()
    error = np.std(sums - ratio * tokens) / np.mean(tokens) / math.sqrt(4000)
    assert ends(found)[1:] == pytest.approx([ratio - 1.96 * error, ratio + 1.96 * error], rel=1e-3)


@given(losses_and_tokens)
def test_linearised_rows_have_the_ratio_for_mean_and_its_standard_error(rows: Floats) -> None:
    sums, tokens = np.round(rows)
    values, ratio = linearised(sums, tokens), sums.sum() / tokens.sum()
    assert values.mean() == pytest.approx(ratio, abs=1e-6)
    error = np.sqrt(np.mean((sums - ratio * tokens) ** 2)) / tokens.mean()
    assert values.std() == pytest.approx(error, rel=1e-6, abs=1e-6)
    assert linearised(sums, np.ones(len(sums))) == pytest.approx(sums)


def test_long_rows_count_for_more_and_rows_without_tokens_for_nothing() -> None:
    sums, tokens = np.array([10.0, 0.0, 400.0, 6.0]), np.array([10.0, 0.0, 100.0, 6.0])
    found = ratio_interval(sums, tokens)
    assert found.value == pytest.approx(416 / 116)
    assert found == ratio_interval(sums[[0, 2, 3]], tokens[[0, 2, 3]])


@given(losses_and_tokens, st.integers(0, 2**32 - 1))
def test_the_paired_difference_is_that_of_the_sums_and_flips(rows: Floats, seed: int) -> None:
    sums, tokens = np.round(rows)
    other = np.random.default_rng(seed).permutation(sums)
    one = paired_ratio_interval(sums, other, tokens, resamples=FEW)
    back = paired_ratio_interval(other, sums, tokens, resamples=FEW)
    assert one.value == pytest.approx((sums - other).sum() / tokens.sum(), abs=1e-9)
    assert ends(one) == pytest.approx([-back.value, -back.high, -back.low], rel=1e-9, abs=1e-9)


def test_the_p_says_what_the_interval_says() -> None:
    rng = np.random.default_rng(5)
    decided = 0
    for shift in np.linspace(-0.4, 0.4, 40):
        a, b = rng.exponential(1.0, (2, 60))
        tokens = np.ceil(rng.exponential(50, 60))
        a, b = (a + shift) * tokens, b * tokens
        for p, interval in (
            (paired_p(a, b), paired_interval(a, b)),
            (paired_ratio_p(a, b, tokens), paired_ratio_interval(a, b, tokens)),
        ):
            if abs(p - 0.05) > 0.001:
                assert (p < 0.05) == interval.excludes_zero
                decided += interval.excludes_zero
    assert 5 < decided < 75


def test_equal_ratios_leave_no_width_and_equal_differences_what_signs_leave() -> None:
    tokens = np.array([3.0, 10.0, 7.0, 11.0, 5.0])
    assert ratio_interval(2 * tokens, tokens) == Interval(2.0, 2.0, 2.0)
    five = paired_ratio_interval(tokens, 3 * tokens, tokens)
    assert five.value == -2.0 and not five.excludes_zero
    assert paired_ratio_p(tokens, 3 * tokens, tokens) == 2 * 0.5**5
    six = np.append(tokens, 8.0)
    assert paired_ratio_interval(six, 3 * six, six).excludes_zero
    assert paired_ratio_interval(six, six, six) == Interval(0.0, 0.0, 0.0)
    assert paired_ratio_p(six, six, six) == 1.0


@pytest.mark.parametrize(
    ("sums", "weights"),
    [
        ([1.0, 2.0], [1.0]),
        ([1.0, 2.0], [1.0, -1.0]),
        ([1.0, 2.0, 3.0], [1.0, 1.0, 0.0]),
        ([1.0, 0.0], [1.0, 0.0]),
        ([1.0, math.nan], [1.0, 1.0]),
        ([1.0, 2.0], [1.0, math.inf]),
    ],
)
def test_sums_without_proper_weights_are_refused(sums: list[float], weights: list[float]) -> None:
    with pytest.raises(InputError):
        ratio_interval(np.array(sums), np.array(weights))
