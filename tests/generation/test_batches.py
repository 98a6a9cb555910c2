import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nybble.generation.batches import in_batches, left_padded

pytestmark = pytest.mark.slow
LENGTHS = st.lists(st.integers(1, 40), max_size=30)


@given(lengths=LENGTHS, tokens=st.integers(1, 200), new=st.integers(1, 20))
def test_every_prompt_once_and_within_the_bound(lengths, tokens, new) -> None:
    seen: list[int] = []

    def compute(places: list[int]) -> None:
        width = lengths[places[0]]
        assert width == max(lengths[i] for i in places)
        assert len(places) == 1 or len(places) * (width + new) <= tokens
        seen.extend(places)

    in_batches(lengths, tokens, new, compute)
    assert sorted(seen) == list(range(len(lengths)))
    assert [lengths[i] for i in seen] == sorted(lengths, reverse=True)


@given(lengths=LENGTHS, tokens=st.integers(1, 400), room=st.integers(41, 300))
def test_what_finds_no_room_is_halved_until_it_does_and_stays_so(lengths, tokens, room) -> None:
    seen: list[int] = []
    refused: list[int] = []

    def compute(places: list[int]) -> None:
        used = len(places) * (lengths[places[0]] + 1)
        if used > room:
            refused.append(used)
            raise torch.OutOfMemoryError
        assert used <= min([tokens, *(size // 2 for size in refused)]) or len(places) == 1
        seen.extend(places)

    in_batches(lengths, tokens, 1, compute)
    assert sorted(seen) == list(range(len(lengths)))
    assert len(refused) <= 4


def test_one_prompt_without_room_is_an_error() -> None:
    def compute(places: list[int]) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        in_batches([3, 3, 3], 100, 1, compute)


def test_padding_is_on_the_left() -> None:
    ids, mask = left_padded([[5, 6, 7], [8]], 3, 0, "cpu")
    assert ids.tolist() == [[5, 6, 7], [0, 0, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
