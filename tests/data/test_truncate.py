"""Cuts, with characters for tokens and with real tokenizers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.examples import Conversation, Pair
from nybble.data.render import Renderer
from nybble.data.split import Splits
from nybble.data.truncate import beginning, cut_examples, cut_line, cut_splits, end
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError


def part(**fields):
    return DataPart(train="rows.jsonl", **fields)


def pair(summary, before="Say: ", after=" Price: $", number=1):
    return Pair(number, f"{before}{summary}{after}", "9", {"summary": summary, "price": 9})


@pytest.fixture(scope="module")
def renderer(character_tokenizer):
    return Renderer(character_tokenizer())


FIELD = {"field": "summary", "max_tokens": 4}


def test_the_column_is_cut_within_the_prompt(renderer):
    cut = cut_examples([pair("abcdefgh"), pair("abcd")], part(truncate=FIELD), renderer)
    assert [row.prompt for row in cut] == ["Say: abcd Price: $", "Say: abcd Price: $"]
    assert [row.completion for row in cut] == ["9", "9"]
    assert list(cut.cut) == [0]


def test_a_column_of_the_completion_is_cut_there(renderer):
    row = Pair(1, "Shorten.", "abcdefgh!", {"summary": "abcdefgh"})
    (cut,) = cut_examples([row], part(truncate=FIELD), renderer)
    assert (cut.prompt, cut.completion) == ("Shorten.", "abcd!")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (Pair(3, "a", "b", {"title": "x"}), "row 3 has no 'summary'"),
        (Pair(3, "ABCDEFGH", "b", {"summary": "abcdefgh"}), "neither its prompt nor"),
    ],
)
def test_a_row_that_does_not_show_the_column_is_refused(renderer, row, told):
    with pytest.raises(InputError, match=f"^rows.jsonl: .*{told}"):
        cut_examples([row], part(truncate=FIELD), renderer)


@given(st.text("abc ", min_size=1, max_size=30), st.integers(2, 20))
def test_a_long_prompt_keeps_its_end_and_its_bos(renderer, text, most):
    (row,) = cut_examples([Pair(1, text, "x", {"a": 1})], part(max_prompt_length=most), renderer)
    assert text.endswith(row.prompt)
    (ids,) = renderer.prompt_ids([row.prompt])
    assert len(ids) == min(len(text) + 1, most)
    assert row.completion == "x"


def test_what_is_asked_raw_stays(renderer):
    rows = [Pair(1, "abcdefgh", "", {})]
    assert list(cut_examples(rows, part(max_prompt_length=3, truncate=FIELD), renderer)) == rows


def chat(*roles, number=1):
    letters = {"system": "s", "user": "u", "assistant": "a"}
    turns = [{"role": role, "content": letters[role] * 3 + str(i)} for i, role in enumerate(roles)]
    return Conversation(number, tuple(turns), {})


LONG = ("system", "user", "assistant", "user", "assistant", "user", "assistant")


@pytest.mark.parametrize("most", [40, 60, 80, 1000])
def test_a_conversation_loses_its_oldest_turns(renderer, most):
    whole = chat(*LONG)
    (cut,) = cut_examples([whole], part(max_prompt_length=most), renderer)
    assert cut.messages[0] == whole.messages[0]
    assert cut.messages[1]["role"] == "user"
    assert cut.messages[1:] == whole.messages[-len(cut.messages) + 1 :]
    prompt = renderer.chat_prompt_ids(cut.messages[:-1], "")
    assert len(prompt) <= most or len(cut.messages) == 3
    longer = (whole.messages[0], *whole.messages[-len(cut.messages) - 1 :])
    if len(cut.messages) < len(whole.messages):
        assert len(renderer.chat_prompt_ids(longer[:-1], "")) > most


def test_the_last_question_stays_however_long(renderer):
    (cut,) = cut_examples([chat(*LONG)], part(max_prompt_length=1), renderer)
    assert [message["role"] for message in cut.messages] == ["system", "user", "assistant"]


def test_inference_sees_what_training_saw(renderer):
    """Law 1: the cut does not depend on the answer."""
    asked = part(max_prompt_length=12, truncate=FIELD)
    trained, unknown = pair("abcdefgh"), pair("abcdefgh")
    unknown = Pair(1, unknown.prompt, "", unknown.columns)
    (a,), (b,) = (cut_examples([row], asked, renderer) for row in (trained, unknown))
    (row,) = renderer.pair_rows([a], "completion")
    (prompt,) = renderer.prompt_ids([b.prompt])
    assert row.input_ids[: len(prompt)] == prompt
    assert row.prompt_lengths == (len(prompt),)


def test_every_part_is_cut_and_counted(renderer):
    splits = Splits([pair("abcdefgh"), pair("ab")], [pair("abcde")], [pair("ab")])
    cut = cut_splits(splits, part(truncate=FIELD), renderer)
    assert cut.cut == {"train": 1, "validation": 1, "test": 0}
    assert cut_line(cut.cut) == "Cut as the recipe says: 1 train, 1 validation rows."
    assert cut_splits(splits, part(), renderer) is splits
    assert cut_line({}) == ""


TEXTS = [
    "a plain sentence of some words, with 12345 in it",
    "naïve café ☕ 😀😀 日本語の文",
    "x" * 40,
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mini_tokenizer", "qwen_tokenizer", "llama_tokenizer"])
@pytest.mark.parametrize("text", TEXTS)
def test_real_tokens_are_cut_where_text_and_tokens_agree(request, name, text):
    tokenizer = request.getfixturevalue(name)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    for most in range(1, len(ids) + 2):
        start, stop = beginning(text, ids, most, tokenizer), end(text, ids, most, tokenizer)
        assert text.startswith(start)
        assert text.endswith(stop)
        for short, own in ((start, ids[: len(ids)]), (stop, ids)):
            cut = tokenizer(short, add_special_tokens=False).input_ids if short else []
            assert len(cut) <= most
            assert cut == (own[: len(cut)] if short is start else own[len(own) - len(cut) :])
    assert beginning(text, ids, len(ids), tokenizer) == text == end(text, ids, len(ids), tokenizer)
