import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nybble.generation.ending import Ending, StopStrings, Stream

pytestmark = pytest.mark.slow
EOS = 2


@pytest.fixture(scope="module")
def ending(stage):
    def make(*stop: str) -> Ending:
        return Ending(stage.tokenizer, frozenset([EOS]), stop)

    return make


@pytest.fixture(scope="module")
def ids_of(stage):
    return lambda text: stage.tokenizer(text, add_special_tokens=False).input_ids


def streamed(ending: Ending, ids: list[int]) -> list[str]:
    pieces: list[str] = []
    stream = Stream(ending, pieces.append)
    stream.put(torch.tensor([[5, 6, 7]]))
    for token in ids:
        stream.put(torch.tensor([token]))
    stream.end()
    return pieces


def test_the_stop_token_and_what_follows_it_is_cut(ending, ids_of) -> None:
    ids = [*ids_of("a lamp"), EOS, *ids_of("and more"), 0]
    assert ending().text(ids) == "a lamp"


def test_the_earliest_of_several_stop_strings_cuts(ending, ids_of) -> None:
    ids = ids_of("one, two. three")
    assert ending(". t", ",").text(ids) == "one"
    assert ending("four", ".").text(ids) == "one, two"
    assert ending("four").text(ids) == "one, two. three"


@given(
    text=st.text(alphabet="ab\n 5,é漢🙂", max_size=30),
    stop=st.lists(st.text(alphabet="ab\n 5,é漢", min_size=1, max_size=4), max_size=3),
)
def test_a_stop_string_is_found_however_tokens_part_it(ending, stage, text, stop) -> None:
    """Each byte a token of its own: every border between characters is one between tokens too."""
    ids = single_bytes(stage.tokenizer, text)
    made = ending(*stop)
    cuts = [text.find(s) for s in stop if s in text]
    assert made.text(ids) == text[: min(cuts, default=len(text))]
    if stop:
        done = [made.stopped(ids[:n]) for n in range(1, len(ids) + 1)]
        first = min((text.find(s) + len(s) for s in stop if s in text), default=None)
        if first is None:
            assert not any(done)
        else:
            assert done.index(True) + 1 == len(text[:first].encode())


@given(data=st.data())
def test_a_stream_gives_the_same_text_for_any_ids(ending, stage, data) -> None:
    vocabulary = st.integers(0, len(stage.tokenizer) - 1)
    ids = data.draw(st.lists(vocabulary, max_size=25))
    stop = data.draw(st.lists(st.text("abcdet \n:,0", min_size=1, max_size=3), max_size=2))
    made = ending(*stop)
    assert "".join(streamed(made, ids)) == made.text(ids)


@given(text=st.text(alphabet="ab\n 5,é漢🙂", max_size=20))
def test_a_stream_shows_no_half_character(ending, stage, text) -> None:
    pieces = streamed(ending("zz"), single_bytes(stage.tokenizer, text))
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece for piece in pieces)


def test_a_stream_shows_what_is_settled_at_once_and_holds_back_what_might_stop(
    ending, ids_of
) -> None:
    stream = Stream(ending("END"), (pieces := []).append)
    stream.put(torch.tensor([[5]]))
    for text, shown in [("a", "a"), ("E", "a"), ("N", "a"), ("a", "aENa"), ("EN", "aENa")]:
        for token in ids_of(text):
            stream.put(torch.tensor([token]))
        assert "".join(pieces) == shown
    for token in ids_of("D b"):
        stream.put(torch.tensor([token]))
    stream.end()
    assert "".join(pieces) == "aENa"


def test_rows_are_done_one_by_one(ending, ids_of) -> None:
    criterion = StopStrings(ending("5"), width=2)
    row = ids_of("a b c 5")
    other = ids_of("5 b c a")[-1:] * len(row)
    ids = torch.tensor([[*ids_of("5")[:1] * 2, *row], [*ids_of("5")[:1] * 2, *other]])
    assert criterion(ids, None).tolist() == [True, False]


def single_bytes(tokenizer, text: str) -> list[int]:
    """The ids of the tokens that stand for single bytes."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    table = bytes_to_unicode()
    ids = [tokenizer.convert_tokens_to_ids(table[byte]) for byte in text.encode()]
    assert None not in ids
    return ids
