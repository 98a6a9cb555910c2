"""Repeats against an oracle that compares every pair."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.examples import Conversation, Pair
from nybble.data.leakage import NEAR_ROWS, check_repeats, find_repeats, repeats_line
from nybble.data.split import Splits
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError

LONG = "the quick brown fox jumps over the lazy dog while seven cats watch from a red brick wall"
LONG += " and three old dogs sleep in the warm sun beside an empty barn"


def pairs(*texts, first=1):
    """Rows from "question/answer"."""
    split = [text.split("/") for text in texts]
    return [Pair(n, *parts, {}) for n, parts in enumerate(split, first)]


def splits(train, validation=(), test=()):
    return Splits(pairs(*train), pairs(*validation, first=101), pairs(*test, first=201))


def part(**fields):
    return DataPart(train="rows.jsonl", **fields)


def counts(**texts):
    return find_repeats(splits(**texts), 0, every_row=True).counts


def test_a_question_of_the_test_is_a_repeat_whatever_the_answer():
    assert counts(train=["a/1", "b/1"], test=["a/2"]) == {"exact train in test": 1}


def test_in_training_question_and_answer_have_to_agree():
    assert counts(train=["a/1", "a/2", "a/1"]) == {"exact train in train": 1}


def test_case_and_white_space_do_not_count():
    assert counts(train=["A\r\n b/1"], test=["a b/1"]) == {"exact train in test": 1}


def test_marks_that_differ_make_a_near_repeat():
    assert counts(train=[f"{LONG}!/1"], test=[f"{LONG}?/1"]) == {"near train in test": 1}


def test_one_word_of_many_makes_a_near_repeat():
    other = LONG.replace("wall", "roof")
    assert counts(train=[f"{LONG}/1", f"{other}/1"]) == {"near train in train": 1}
    assert counts(train=["a short one/1", "a short two/1"]) == {}


def test_rows_of_one_held_part_may_be_alike():
    assert counts(train=["x/1"], test=["a/1", "a/1", f"{LONG}!/1", f"{LONG}/1"]) == {}


def test_what_a_template_says_makes_no_rows_alike():
    head = "Below is an instruction. Write a response that completes the request in full. "
    rows = [f"{head} {'abcdefghij'[n % 10] * 3} {n} {n * n}/yes" for n in range(60)]
    assert counts(train=rows) == {}


QUESTIONS = st.lists(st.sampled_from(["a/1", "a/2", "b/1", "B/1", "c/3", " c /3"]), max_size=6)


@given(train=QUESTIONS, validation=QUESTIONS, test=QUESTIONS)
def test_exact_repeats_are_those_of_the_slow_search(train, validation, test):
    plain = [[" ".join(text.lower().split()).replace(" /", "/") for text in part]
             for part in (test, validation, train)]  # fmt: skip
    expected = set()
    earlier = set()
    for name, rows in zip(("test", "validation", "train"), plain, strict=True):
        for place, text in enumerate(rows):
            question = text.split("/")[0]
            if question in earlier or (name == "train" and text in rows[:place]):
                expected.add((name, place))
        earlier |= {text.split("/")[0] for text in rows}
    found = find_repeats(splits(train, validation, test), 0, every_row=False)
    places = [(n, i) for n, rows in zip(("test", "validation", "train"), plain, strict=True)
              for i in range(len(rows))]  # fmt: skip
    exact = {p for p, of, near in zip(places, found.of, found.near, strict=True)
             if of >= 0 and not near}  # fmt: skip
    assert exact == expected


def test_removal_keeps_the_test_rows_and_the_first_of_the_training_rows():
    given_rows = splits(["a/1", "b/1", "b/1", "c/1"], ["c/2", "d/1"], ["a/9", "d/2"])
    left = check_repeats(given_rows, part(duplicates="remove"))
    numbers = [[row.number for row in rows] for rows in (left.train, left.validation, left.test)]
    assert numbers == [[2], [101], [201, 202]]
    assert left.repeats["removed"] == [102, 1, 3, 4]


def test_without_removal_rows_stay_and_are_told():
    given_rows = splits(["a/1", "b/1"], test=["a/9"])
    told = check_repeats(given_rows, part())
    assert (told.train, told.test) == (given_rows.train, given_rows.test)
    assert told.repeats["examples"] == [
        {
            "kind": "exact train in test",
            "row": 1,
            "of_row": 201,
            "text": "a → 1",
            "of_text": "a → 9",
        }
    ]
    assert repeats_line(told.repeats) == (
        "Repeated rows: 1 exact train in test; data.duplicates=remove removes them."
    )
    json.dumps(dict(told.repeats))


def test_nothing_to_tell():
    assert repeats_line(check_repeats(splits(["a/1"]), part()).repeats) == ""


def test_rows_that_are_all_in_the_test_leave_nothing():
    with pytest.raises(InputError, match="every training row repeats"):
        check_repeats(splits(["a/1"], test=["a/1"]), part(duplicates="remove"))


def test_of_many_rows_some_are_compared_and_that_is_said():
    rows = [f"question number {n}/1" for n in range(NEAR_ROWS + 500)]
    found = find_repeats(splits(rows, test=["question number 7/1"]), 0, every_row=False)
    audit = found.audit()
    assert audit["rows_compared_for_near"] == NEAR_ROWS
    assert audit["counts"]["exact train in test"] == 1
    assert f"(near ones among {NEAR_ROWS:,} of {len(rows) + 1:,} rows)" in repeats_line(audit)


def test_conversations_are_compared_up_to_their_last_answer():
    def chat(number, question, answer):
        turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
        return Conversation(number, turns, {})

    given_rows = Splits([chat(1, "hi", "hello"), chat(2, "bye", "ciao")], [], [chat(3, "hi", "yo")])
    assert find_repeats(given_rows, 0, every_row=True).counts == {"exact train in test": 1}
