import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nybble.evaluation.statistics import holm, mcnemar, permutation
from nybble.runs.errors import InputError

two_models = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=80).map(
    lambda rows: np.array(rows, np.bool_).reshape(-1, 2).T
)
ps = st.lists(st.floats(0, 1), max_size=12)


@given(two_models)
def test_mcnemar_is_scipys_exact_binomial_test(ab: np.ndarray) -> None:
    a, b = ab
    only_a, differ = int(np.sum(a & ~b)), int(np.sum(a != b))
    expected = stats.binomtest(only_a, differ).pvalue if differ else 1.0
    assert mcnemar(a, b) == pytest.approx(expected)
    assert mcnemar(b.astype(np.float64), a.astype(np.float64)) == mcnemar(a, b)


def test_mcnemar_of_many_rows_is_no_overflow() -> None:
    a = np.arange(20_000) < 10_150
    assert mcnemar(a, ~a) == pytest.approx(stats.binomtest(10_150, 20_000).pvalue)
    assert mcnemar(np.ones(3000), np.zeros(3000)) == 0.0


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=1, max_size=9))
def test_a_permutation_of_few_rows_counts_every_choice(rows: list[tuple[int, int]]) -> None:
    a, b = np.array(rows, np.float64).T / 10
    differences = [x - y for x, y in rows]
    choices = list(itertools.product((1, -1), repeat=len(rows)))
    seen = abs(sum(differences))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in choices]
    expected = sum(total >= seen for total in sums) / len(choices)
    assert permutation(a, b) == pytest.approx(expected)


def test_drawn_choices_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    a, b = rng.exponential(1.0, (2, 14))
    exact = permutation(a, b)
    monkeypatch.setattr("nybble.evaluation.statistics.significance.MOST_EXACT", 0)
    drawn = permutation(a, b)
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 10_000))
    assert drawn == permutation(a, b, seed=0) and drawn != permutation(a, b, seed=1)
    monkeypatch.setattr("nybble.evaluation.statistics.significance.CHUNK_FLIPS", 1400)
    assert drawn == permutation(a, b)


def test_a_permutation_of_many_rows_is_about_the_t_test() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.0, 1.0, (2, 400))
    assert permutation(a, b + 0.1) == pytest.approx(stats.ttest_rel(a, b + 0.1).pvalue, abs=0.02)
    assert permutation(a, a + 1.0 + b / 10) == 1 / 10_001


def test_rows_alike_say_nothing_and_units_do_not_matter() -> None:
    a, b = np.array([3.0, 1.0, 2.0, 4.0]), np.array([1.0, 1.0, 1.0, 1.0])
    assert permutation(a, a) == 1.0
    assert permutation(a, b) == 2 / 8 == permutation(a * 1e200, b * 1e200)
    assert permutation(np.append(a, 9.0), np.append(b, 9.0)) == permutation(a, b)


@given(ps)
def test_holm_rejects_what_the_step_down_procedure_rejects(values: list[float]) -> None:
    corrected = holm(values)
    assert len(corrected) == len(values)
    for alpha in (0.01, 0.05, 0.3, *corrected):
        if alpha >= 1:
            continue
        rejected = set()
        for rank, place in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
            if values[place] * (len(values) - rank) > alpha:
                break
            rejected.add(place)
        assert rejected == {i for i, p in enumerate(corrected) if p <= alpha}


@given(ps)
def test_holm_never_lowers_a_p_nor_goes_beyond_bonferroni(values: list[float]) -> None:
    for p, corrected in zip(values, holm(values), strict=True):
        assert p <= corrected <= min(1.0, p * len(values))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2] and holm([]) == []


@pytest.mark.parametrize("p", [-0.1, 1.1, math.nan])
def test_what_is_no_p_is_refused(p: float) -> None:
    with pytest.raises(InputError, match="comparison 1"):
        holm([0.5, p])


def test_rows_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(InputError, match="paired"):
        mcnemar(np.ones(2), np.ones(3))
    for broken in ([], [math.nan, 1.0]):
        with pytest.raises(InputError):
            permutation(np.array(broken), np.zeros(len(broken)))
