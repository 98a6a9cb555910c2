import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nybble.evaluation.statistics import (
    mean_interval,
    paired_interval,
    rows_to_settle,
    running_estimate,
    share_interval,
)
from nybble.runs.errors import InputError


def test_so_many_rows_show_the_difference_as_often_as_was_asked() -> None:
    rng = np.random.default_rng(8)
    seen = rng.normal(0.3, 1.0, 100_000)
    rows = rows_to_settle(seen, power=0.8)
    assert rows is not None
    mean, sd = seen.mean(), seen.std()
    shown = 0
    for number in range(400):
        drawn = rng.normal(mean, sd, rows)
        shown += paired_interval(drawn, np.zeros(rows), number, resamples=500).excludes_zero
    assert shown / 400 == pytest.approx(0.8, abs=0.07)


@given(
    st.lists(st.floats(-100, 100), min_size=2, max_size=30).map(lambda x: np.round(x, 6)),
    st.sampled_from([0.5, 0.8, 0.95]),
    st.sampled_from([0.9, 0.95, 0.99]),
)
def test_the_formula_and_its_laws(values: np.ndarray, power: float, level: float) -> None:
    rows = rows_to_settle(values, power, level)
    assert rows == rows_to_settle(-values, power, level)
    if rows is None:
        assert abs(values.mean()) <= values.std() * 1e-3
        return
    z = stats.norm.ppf(0.5 + level / 2) + stats.norm.ppf(power)
    needed = (z * values.std(ddof=1) / values.mean()) ** 2
    assert rows >= needed * (1 - 1e-6)
    assert rows <= max(needed * (1 + 1e-6) + 1, 8)
    more = rows_to_settle(values, 0.99, level)
    assert more is None or more >= rows


def test_no_difference_needs_no_number_and_equal_ones_need_their_signs() -> None:
    assert rows_to_settle(np.zeros(5)) is None
    assert rows_to_settle(np.array([1.0, -1.0])) is None
    assert rows_to_settle(np.array([1.0, -1.0 + 1e-9])) is None
    assert rows_to_settle(np.full(3, 2.0)) == 6
    assert not paired_interval(np.full(5, 2.0), np.zeros(5)).excludes_zero
    assert paired_interval(np.full(6, 2.0), np.zeros(6)).excludes_zero


@pytest.mark.parametrize("power", [0.4, 1.0, math.nan])
def test_an_impossible_power_is_refused(power: float) -> None:
    with pytest.raises(InputError, match="power"):
        rows_to_settle(np.array([1.0, 2.0]), power)


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (2, [2]),
        (10, [10]),
        (11, [10, 11]),
        (100, [10, 12, 16, 20, 25, 32, 40, 50, 63, 80, 100]),
        (130, [10, 12, 16, 20, 25, 32, 40, 50, 63, 80, 100, 120, 130]),
    ],
)
def test_the_running_estimate_grows_to_all_rows(rows: int, sizes: list[int]) -> None:
    scores = np.random.default_rng(0).exponential(size=rows)

    def few(values: np.ndarray) -> object:
        return mean_interval(values, resamples=200)

    found = running_estimate(scores, few)  # type: ignore[arg-type]
    assert [n for n, *_ in found] == sizes
    for n, value, low, high in found:
        assert value == pytest.approx(scores[:n].mean())
        assert low <= value <= high
    whole = mean_interval(scores, resamples=200)
    assert found[-1][1:] == (whole.value, whole.low, whole.high)


def test_a_running_share_has_a_band_from_the_start() -> None:
    found = running_estimate(np.ones(1000), share_interval)
    widths = [high - low for _, _, low, high in found]
    assert widths == sorted(widths, reverse=True) and widths[-1] > 0


def test_a_running_estimate_of_too_few_rows_is_refused() -> None:
    for scores in ([], [1.0]):
        with pytest.raises(InputError):
            running_estimate(np.array(scores))
