import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.generation.batches import batches, left_padded

pytestmark = pytest.mark.slow


@given(
    lengths=st.lists(st.integers(1, 40), max_size=30),
    tokens=st.integers(1, 200),
    new=st.integers(1, 20),
)
def test_every_prompt_once_and_within_the_bound(lengths, tokens, new) -> None:
    prompts = [[1] * length for length in lengths]
    seen = []
    for places, width in batches(prompts, tokens, new):
        seen += places
        assert width == max(lengths[i] for i in places)
        assert len(places) == 1 or len(places) * (width + new) <= tokens
    assert sorted(seen) == list(range(len(prompts)))


def test_padding_is_on_the_left() -> None:
    ids, mask = left_padded([[5, 6, 7], [8]], 3, 0, "cpu")
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
