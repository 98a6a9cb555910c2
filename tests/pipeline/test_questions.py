"""Test rows as questions, and what of them is refused before anything is trained."""

import pytest

from nybble.data.examples import Conversation, Pair
from nybble.data.split import Splits
from nybble.pipeline.questions import check_truths, draw_shots, prompts, true_number
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError

DATA = DataPart(train="rows.csv", test="judged.csv")


def pair(number: int, completion: str = "5", **columns: object) -> Pair:
    return Pair(number, f"p{number}", completion, columns)


def splits(train=(), validation=(), test=()) -> Splits:
    good = [pair(n) for n in range(1, 9)]
    return Splits([*good, *train], [*good[:2], *validation], [*good[:3], *test])


def check(parts: Splits, **evaluate: object) -> None:
    check_truths(parts, DATA, EvaluatePart.model_validate({"task": "number", **evaluate}))


def test_good_rows_pass():
    check(splits())


@pytest.mark.parametrize(
    ("part", "source"), [("train", "rows"), ("validation", "rows"), ("test", "judged")]
)
def test_a_truth_that_cannot_be_read_is_named_with_its_source(part, source):
    with pytest.raises(InputError, match=rf"^{source}\.csv: row 77: no number in the completion"):
        check(splits(**{part: [pair(77, "dear")]}))


def test_a_test_row_beyond_those_that_are_judged_may_hold_anything():
    check(splits(test=[pair(77, "dear")]), size=3)


@pytest.mark.parametrize("field", ["truth", "floor"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(field):
    rows = [Pair(n, "p", "5", {"title": "a", "price": "5"}) for n in range(1, 9)]
    with pytest.raises(InputError, match="row 1 has no column 'cost'") as caught:
        check(Splits(rows, rows, rows), **{field: "cost"})
    assert "title, price" in caught.value.fix
    assert f"evaluate.{field}" in caught.value.fix


def test_a_floor_that_is_no_number_is_named():
    rows = [Pair(n, "p", "5", {"best": "?" if n == 4 else "$1"}) for n in range(1, 9)]
    with pytest.raises(InputError, match=r"judged\.csv: row 4: no number in column 'best'"):
        check(Splits(rows, rows, rows), floor="best")


def test_a_column_of_text_holds_a_number_too():
    example = Pair(1, "p", "?", {"price": "$1,250.50"})
    assert true_number(example, EvaluatePart(truth="price"), "s") == 1250.5


@pytest.mark.parametrize(("size", "test"), [(1, 20), (20, 1), (20, 0)])
def test_an_interval_needs_two_rows(size, test):
    rows = [pair(n) for n in range(1, 30)]
    with pytest.raises(InputError, match="to evaluate on"):
        check(Splits(rows, rows[:5], rows[:test]), size=size)


def test_the_ridge_needs_rows_to_be_fitted_and_chosen_on():
    rows = [pair(n) for n in range(1, 30)]
    for train, validation in ((1, 0), (2, 1)):
        with pytest.raises(InputError, match="too few rows"):
            check(Splits(rows[:train], rows[:validation], rows))
    check(Splits(rows[:3], [], rows))
    check(Splits(rows[:1], rows[:2], rows))


class Chat:
    """Records the messages that a prompt is rendered from."""

    def prompt_ids(self, texts):
        return [[1] for _ in texts]

    def chat_prompt_ids(self, messages, where, tools):
        return [(message["role"], message["content"]) for message in messages]


def chat(number: int, system: str) -> Conversation:
    turns = (("system", system), ("user", f"q{number}"), ("assistant", f"{number}"))
    return Conversation(number, tuple({"role": r, "content": c} for r, c in turns), {})


def test_a_system_message_stays_before_the_examples():
    (asked,) = prompts([chat(1, "Be brief.")], Chat(), [chat(2, "Be long.")])
    assert asked == [
        ("system", "Be brief."),
        ("user", "q2"),
        ("assistant", "2"),
        ("user", "q1"),
    ]


def test_examples_are_drawn_by_the_seed():
    rows = [pair(n) for n in range(1, 99)]
    assert draw_shots(rows, 4, 1) == draw_shots(rows, 4, 1) != draw_shots(rows, 4, 2)
