from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.evaluation.metrics.passes import pass_at_k
from nybble.runs.errors import InputError


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.data())
def test_it_is_the_share_of_all_choices_that_hold_a_right_program(
    counts: tuple[int, int], data: st.DataObject
) -> None:
    samples, passed = counts
    k = data.draw(st.integers(1, samples))
    choices = list(combinations([True] * passed + [False] * (samples - passed), k))
    assert pass_at_k(samples, passed, k) == pytest.approx(sum(map(any, choices)) / len(choices))


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.data())
def test_it_is_the_papers_product(counts: tuple[int, int], data: st.DataObject) -> None:
    samples, passed = counts
    k = data.draw(st.integers(1, samples))
    fails = 1.0
    for n in range(samples - passed + 1, samples + 1):
        fails *= 1.0 - k / n
    expected = 1.0 if samples - passed < k else 1.0 - fails
    assert pass_at_k(samples, passed, k) == pytest.approx(expected, abs=1e-12)


def test_pass_at_1_is_the_share_that_passed() -> None:
    assert pass_at_k(200, 30, 1) == pytest.approx(0.15)
    assert pass_at_k(1, 1, 1) == 1.0 and pass_at_k(1, 0, 1) == 0.0


@pytest.mark.parametrize(("samples", "passed", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 6), (5, 2, 0)])
def test_what_cannot_be_estimated_is_refused(samples: int, passed: int, k: int) -> None:
    with pytest.raises(InputError):
        pass_at_k(samples, passed, k)
