import json
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nybble.evaluation.statistics import Interval, mean_interval, paired_interval, paired_p
from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]
FEW = 500

errors = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).map(np.array)
pairs = st.lists(
    st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=30
).map(np.array)


def ends(interval: Interval) -> list[float]:
    return [interval.value, interval.low, interval.high]


@given(errors, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_change_the_value(values: Floats, random: object) -> None:
    shuffled = np.array(sorted(values.tolist(), key=lambda _: random.random()))  # type: ignore[attr-defined]
    expected = math.fsum(values.tolist()) / len(values)
    for order in (values, shuffled):
        assert mean_interval(order, resamples=FEW).value == pytest.approx(expected, abs=1e-8)


@settings(deadline=None)
@given(errors, st.integers(-1000, 1000), st.integers(1, 50))
def test_shifting_and_scaling_errors_does_the_same_to_the_interval(
    values: Floats, shift: int, scale: int
) -> None:
    values = np.round(values)
    plain = np.array(ends(mean_interval(values, resamples=FEW)))
    moved = ends(mean_interval(values * scale + shift, resamples=FEW))
    assert moved == pytest.approx(plain * scale + shift, rel=1e-6, abs=1e-3)


@settings(deadline=None)
@given(pairs)
def test_swapping_the_models_flips_the_paired_interval(rows: Floats) -> None:
    a, b = rows.T
    one, other = paired_interval(a, b, resamples=FEW), paired_interval(b, a, resamples=FEW)
    assert ends(one) == pytest.approx([-other.value, -other.high, -other.low], rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(errors)
def test_the_value_is_finite_and_within_the_interval(values: Floats) -> None:
    found = mean_interval(values, resamples=FEW)
    assert all(math.isfinite(end) for end in ends(found))
    assert found.low <= found.value <= found.high


def coverage(draw: Callable[[np.random.Generator], Floats], mean: float) -> float:
    rng = np.random.default_rng(12)
    covered = 0
    for simulation in range(400):
        found = mean_interval(draw(rng), seed=simulation, resamples=1000)
        covered += found.low <= mean <= found.high
    return covered / 400


@pytest.mark.slow
def test_it_covers_the_true_mean_as_often_as_it_says() -> None:
    assert 0.92 <= coverage(lambda rng: rng.normal(3.0, 2.0, 100), 3.0) <= 0.98
    assert 0.92 <= coverage(lambda rng: rng.exponential(1.0, 100), 1.0) <= 0.98
    assert coverage(lambda rng: rng.normal(3.0, 2.0, 5), 3.0) >= 0.92
    # A percentile bootstrap holds the mean of these in 89% of samples: benchmarks/coverage.py.
    assert 0.91 <= coverage(lambda rng: rng.lognormal(0.0, 1.0, 50), math.exp(0.5)) <= 0.97


def test_on_symmetric_errors_it_is_students_interval() -> None:
    values = stats.norm.ppf((np.arange(200) + 0.5) / 200)
    for level in (0.8, 0.95):
        found = mean_interval(values, level=level)
        low, high = stats.t.interval(level, 199, values.mean(), stats.sem(values))
        assert ends(found)[1:] == pytest.approx([low, high], rel=0.05)


def test_on_skewed_errors_it_reaches_further_to_the_skewed_side() -> None:
    values = stats.expon.ppf((np.arange(60) + 0.5) / 60)
    found = mean_interval(values)
    assert found.high - found.value > 1.2 * (found.value - found.low)


def test_pairing_narrows_what_hard_rows_widen() -> None:
    rng = np.random.default_rng(0)
    hardness = rng.exponential(100, 300)
    a, b = hardness + rng.normal(0, 1, 300), hardness + rng.normal(2, 1, 300)
    paired = paired_interval(a, b)
    assert paired.value == pytest.approx(float(np.mean(a) - np.mean(b)))
    assert paired.high < 0 and paired.excludes_zero
    assert paired.high - paired.low < 1
    assert mean_interval(a).high > mean_interval(b).low


@pytest.mark.parametrize("value", [0.1, 0.0, -7.0, 1e150])
def test_equal_errors_leave_no_width(value: float) -> None:
    assert mean_interval(np.full(7, value)) == Interval(value, value, value)


@pytest.mark.parametrize("n", [2, 5, 6, 50])
def test_equal_differences_say_what_their_signs_say(n: int) -> None:
    found = paired_interval(np.full(n, 3.0), np.full(n, 5.0))
    p = paired_p(np.full(n, 3.0), np.full(n, 5.0))
    assert found.value == -2.0 and p == stats.binomtest(0, n).pvalue
    assert found.excludes_zero == (p < 0.05)
    assert found.high - found.value == pytest.approx(found.value - found.low)
    assert found.low < found.value
    assert paired_interval(np.ones(n), np.ones(n)) == Interval(0.0, 0.0, 0.0)
    assert paired_p(np.ones(n), np.ones(n)) == 1.0


@given(pairs)
def test_a_p_is_a_share_and_does_not_depend_on_the_order(rows: Floats) -> None:
    a, b = rows.T
    p = paired_p(a, b, resamples=FEW)
    assert 0.0 < p <= 1.0
    assert p == pytest.approx(paired_p(b, a, resamples=FEW))


def test_few_rows_and_lone_outliers_give_wide_finite_intervals() -> None:
    two = mean_interval(np.array([1.0, 2.0]))
    assert two.low < 0 and two.high > 3 and math.isfinite(two.low + two.high)
    outlier = np.zeros(100)
    outlier[3] = 100
    assert 5 < mean_interval(outlier).high < 100


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1e150])
def test_the_unit_of_the_errors_does_not_matter(unit: float) -> None:
    values = np.arange(10.0)
    scaled = np.array(ends(mean_interval(values * unit))) / unit
    assert scaled == pytest.approx(ends(mean_interval(values)))


def test_the_seed_decides_the_resamples_and_chunks_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).exponential(size=50)
    found = mean_interval(values, seed=1)
    assert found == mean_interval(values, seed=1)
    assert found != mean_interval(values, seed=2)
    monkeypatch.setattr("nybble.evaluation.statistics.bootstrap.CHUNK_DRAWS", 50 * 64)
    assert found == mean_interval(values, seed=1)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1, 2, True), (-2, -1, True), (-1, 1, False), (0, 1, False), (-1, 0, False), (0, 0, False)],
)
def test_an_interval_that_touches_zero_shows_no_sign(
    low: float, high: float, expected: bool
) -> None:
    assert Interval((low + high) / 2, low, high).excludes_zero is expected


def test_an_interval_as_json() -> None:
    written = json.dumps(mean_interval(np.array([1.0, 2.0, 4.0])).as_json(), allow_nan=False)
    assert list(json.loads(written)) == ["value", "low", "high"]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_too_few_or_broken_errors_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError):
        mean_interval(np.array(values))


def test_unequal_rows_and_impossible_levels_are_refused() -> None:
    with pytest.raises(InputError, match="paired"):
        paired_interval(np.zeros(3), np.zeros(1))
    with pytest.raises(InputError, match="level"):
        mean_interval(np.arange(3.0), level=1.0)


def test_differences_that_differ_by_rounding_are_equal() -> None:
    """Else their spread, of the last bits, would make an interval of next to no width."""
    b = np.array([1.0, 2.0, 3.0])
    found, exact = paired_interval(b + 0.3, b), paired_interval(np.full(3, 0.3), np.zeros(3))
    assert len(set((b + 0.3 - b).tolist())) > 1
    assert ends(found) == pytest.approx(ends(exact))
    assert paired_p(b + 0.3, b) == paired_p(np.full(3, 0.3), np.zeros(3)) == 0.25
