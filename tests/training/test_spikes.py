import math

from hypothesis import given
from hypothesis import strategies as st

from nybble.training.spikes import FEWEST, KEPT, Spikes

LOSS = st.floats(1.0, 1.15)


@given(st.lists(LOSS, max_size=120))
def test_losses_that_vary_by_less_than_a_fifth_are_none(losses) -> None:
    spikes = Spikes()
    assert not any(spikes.add(loss) for loss in losses)


@given(st.lists(LOSS, min_size=FEWEST, max_size=120), st.floats(3, 1e9))
def test_one_far_above_the_others_is_one(losses, jump) -> None:
    spikes = Spikes()
    assert not any(spikes.add(loss) for loss in losses)
    assert spikes.add(jump)
    assert len(spikes.recent) <= KEPT


@given(st.lists(st.floats(), max_size=120), st.integers(0, 120))
def test_what_a_checkpoint_keeps_is_enough_to_go_on(losses, cut) -> None:
    whole = Spikes()
    marks = [whole.add(loss) for loss in losses]
    first = Spikes()
    before = [first.add(loss) for loss in losses[:cut]]
    second = Spikes(first.recent)
    assert before + [second.add(loss) for loss in losses[cut:]] == marks
    assert all(math.isfinite(loss) for loss in second.recent)
