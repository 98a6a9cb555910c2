"""Test rows as questions."""

from nybble.data.examples import Conversation, Pair
from nybble.pipeline.questions import after_shots, answered, draw_shots, prompts


def pair(number: int, completion: str = "5") -> Pair:
    return Pair(number, f"p{number}", completion, {})


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


def test_plain_prompts_and_shots_are_parted_by_an_empty_line():
    asked = after_shots(pair(1), [pair(2, "6"), pair(3, "7")])
    assert asked == Pair(1, "p26\n\np37\n\np1", "5", {})


def test_another_answer_takes_the_place_of_a_rows_own():
    assert answered(pair(1), "9") == Pair(1, "p1", "9", {})
    talk = answered(chat(1, "Be brief."), "other")
    assert [message["content"] for message in talk.messages] == ["Be brief.", "q1", "other"]
