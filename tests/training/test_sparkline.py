from hypothesis import given
from hypothesis import strategies as st

from nybble.training.sparkline import BARS, Curve, sparkline

LOSS = st.floats(0, 100)


@given(st.lists(LOSS, min_size=1, max_size=700), st.integers(1, 80))
def test_a_curve_is_as_wide_as_asked_and_within_its_values(losses, width):
    curve = Curve(len(losses))
    for step, loss in enumerate(losses, 1):
        curve.add(step, loss)
    means = curve.means(width)
    assert len(means) == min(width, len(losses), 512)
    assert min(losses) - 1e-9 <= min(means) and max(means) <= max(losses) + 1e-9


@given(st.lists(LOSS, min_size=1, max_size=80))
def test_every_value_is_a_bar_and_higher_ones_are_no_lower(values):
    bars = sparkline(values)
    assert len(bars) == len(values)
    ranks = [BARS.index(bar) for bar in bars]
    for (a, rank_a), (b, rank_b) in zip(
        zip(values, ranks, strict=True), zip(values[1:], ranks[1:], strict=True), strict=False
    ):
        assert (a <= b) <= (rank_a <= rank_b)
    assert sparkline([]) == ""


def test_what_is_not_finite_leaves_no_mark_and_late_steps_fit():
    curve = Curve(3)
    for step, loss in ((1, 2.0), (2, float("nan")), (3, float("inf")), (9, 1.0)):
        curve.add(step, loss)
    assert curve.means(10) == [2.0, 1.0]
