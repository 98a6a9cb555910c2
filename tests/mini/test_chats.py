import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.mini import catalogue as shop
from nybble.mini.chats import UNTOLD, WAYS, chats, conversation

ROWS = list(chats(2000))
ORDER = ["Brand", "Kind", "Size", "Material", "Condition", "Pieces"]
OPENING, CLOSING = "Glad to help.\n", "\nCan I do more for you?"
FIXED = {"Glad to help. Which item is it?", "You are welcome. Good day."}
NO_NUMBER = "It is sold without that number."
# What a person takes each wording to ask for.
ASKED = {
    "Who makes it?": "Brand", "Which brand is it?": "Brand", "What kind of item is it?": "Kind",
    "Kind?": "Kind", "What size is it?": "Size", "Size?": "Size",
    "What is it made of?": "Material", "Which material is it?": "Material",
    "What condition is it in?": "Condition", "Is it new?": "Condition",
    "How many pieces are there?": "Pieces", "Pieces?": "Pieces",
}  # fmt: skip
SUMMARIES = ("What is it?", "What can you tell me about it?", "All about it?")


def turns(row) -> list[tuple[str, str]]:
    """What was asked, and the clerk's answer."""
    said = [turn for turn in row["conversations"] if turn["from"] != "system"]
    return [(a["value"], b["value"]) for a, b in zip(said[::2], said[1::2], strict=True)]


def framed(row) -> list[tuple[str, list[str]]]:
    """The questions that are not courtesies, and the lines within the answers' frame."""
    return [
        (asked, answer.removeprefix(OPENING).removesuffix(CLOSING).split("\n"))
        for asked, answer in turns(row)
        if answer not in FIXED
    ]


def facts_in(text: str) -> dict[str, str]:
    """What a person reads in a description, which may leave out `new` and a single piece."""
    kind = next(k for k in shop.KINDS if re.search(rf"\b{k.noun}\b", text))
    size = re.search(re.escape(kind.quantity).replace(r"\{\}", r"\d+"), text)[0]
    pack = re.search(r"(?:pack|set) of (\d)|(\d) pieces", text)
    wears = [w for w in shop.WEAR_FACTOR if re.search(rf"[ ,.]{w}[,.]", text)]
    materials = shop.MATERIAL_FACTOR[kind.group]
    return {
        "Brand": next(b for b in shop.BRAND_PREMIUM if b in text),
        "Kind": kind.noun,
        "Size": size,
        "Material": next(m for m in materials if re.search(rf"\b{m}\b", text)),
        "Condition": wears[0] if wears else "new",
        "Pieces": (pack[1] or pack[2]) if pack else "1",
    }


def test_turns_alternate_after_a_system_turn_or_none():
    for row in ROWS:
        speakers = [turn["from"] for turn in row["conversations"]]
        body = speakers[1:] if speakers[0] == "system" else speakers
        assert body == ["human", "gpt"] * (len(body) // 2)
        assert body
        assert all(set(turn) == {"from", "value"} for turn in row["conversations"])
        assert all(turn["value"].strip() == turn["value"] != "" for turn in row["conversations"])


def test_every_answer_is_framed_or_a_fixed_courtesy():
    for row in ROWS:
        for _, answer in turns(row):
            assert (answer.startswith(OPENING) and answer.endswith(CLOSING)) != (answer in FIXED)


def test_answers_are_what_the_latest_listing_says():
    """Over all turns: what is asked for, read as a person would, told in the house's order."""
    summaries = lists = singles = 0
    for row in ROWS:
        listing = ""
        for asked, lines in framed(row):
            question = re.split(r"[.!] ", asked)[-1]
            listing = asked if question != asked else listing
            if question.removesuffix("?") in UNTOLD:
                assert lines == [NO_NUMBER]
                continue
            if several := re.fullmatch(r"What are its (.+) and (.+)\?", question):
                wanted = {*several[1].title().split(", "), several[2].title()}
                lists += 1
            elif question in ASKED:
                wanted = {ASKED[question]}
                singles += 1
            else:
                assert question in SUMMARIES
                wanted = set(ORDER)
                summaries += 1
            told = facts_in(listing)
            assert lines == [f"{name}: {told[name]}" for name in ORDER if name in wanted]
    assert min(summaries, lists, singles) > 300


def test_the_order_of_the_question_does_not_matter():
    several = [asked for row in ROWS for asked, _ in framed(row) if "What are its" in asked]
    orders = {re.search(r"What are its (.+)\?", asked)[1] for asked in several}
    assert {"brand and size", "size and brand"} <= orders


def test_a_number_that_no_listing_has_is_not_made_up():
    found = {
        "\n".join(lines) for row in ROWS for asked, lines in framed(row)
        if any(asked.endswith(f"{name}?") for name in UNTOLD)
    }  # fmt: skip
    assert found == {NO_NUMBER}


def test_every_wording_is_of_one_question():
    assert {way: label for label, ways in WAYS.items() for way in ways} == ASKED
    assert list(WAYS) == ORDER


@given(st.integers(0, 10**9))
def test_a_conversation_of_any_seed_has_one_to_eight_answers(seed):
    said = conversation(random.Random(seed))
    assert 1 <= sum(turn["from"] == "gpt" for turn in said) <= 8


@pytest.mark.parametrize("speaker", ["system", "human", "gpt"])
def test_every_speaker_occurs(speaker):
    assert any(turn["from"] == speaker for row in ROWS for turn in row["conversations"])


def test_most_conversations_differ_and_three_in_ten_have_a_system_turn():
    assert len({str(row) for row in ROWS}) == len(ROWS)
    systems = sum(row["conversations"][0]["from"] == "system" for row in ROWS)
    assert 0.25 < systems / len(ROWS) < 0.35
    assert {len(turns(row)) for row in ROWS} >= {1, 2, 3, 4, 5, 6}


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), few=st.integers(0, 15), more=st.integers(0, 15))
def test_more_rows_begin_with_the_fewer_ones(seed, few, more):
    rows = list(chats(few + more, seed))
    assert rows[:few] == list(chats(few, seed))
    assert len(rows) == few + more


def test_another_seed_gives_other_rows_and_other_draws_disturb_none():
    random.seed(1)
    first = list(chats(20))
    random.seed(2)
    assert list(chats(20)) == first == ROWS[:20]
    assert list(chats(20, 1)) != first
