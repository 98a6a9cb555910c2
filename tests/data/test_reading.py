import pytest

from nybble.data.examples import Conversation, Pair
from nybble.data.reading import read_examples
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError


def part(**fields) -> DataPart:
    return DataPart(train="rows.jsonl", **fields)


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


CHAT = {"messages": [message("user", "Hi"), message("assistant", "Hello")]}


def test_prompt_and_completion_are_found_by_their_names():
    rows = [{"prompt": "2+2=", "completion": "4", "id": 9}]
    assert read_examples(rows, part(), "s") == [Pair(1, "2+2=", "4", rows[0])]


def test_messages_are_found_by_their_name():
    (chat,) = read_examples([CHAT], part(), "s")
    assert chat == Conversation(1, tuple(CHAT["messages"]), CHAT)


def test_templates_make_pairs_of_any_columns():
    rows = [{"text": "a cup", "price": 9.6}, {"text": "a rug", "price": 120}]
    fields = part(prompt="{text}\nPrice: $", completion="{price:.0f}")
    pairs = read_examples(rows, fields, "s")
    assert [(p.number, p.prompt, p.completion) for p in pairs] == [
        (1, "a cup\nPrice: $", "10"),
        (2, "a rug\nPrice: $", "120"),
    ]
    assert pairs[1].columns is rows[1]


def test_templates_count_more_than_a_column_of_messages():
    row = CHAT | {"q": "a", "a": "b"}
    assert isinstance(read_examples([row], part(prompt="q", completion="a"), "s")[0], Pair)


def test_a_declared_format_counts_more_than_the_columns():
    row = CHAT | {"prompt": "a", "completion": "b"}
    assert isinstance(read_examples([row], part(), "s")[0], Conversation)
    assert isinstance(read_examples([row], part(format="prompt-completion"), "s")[0], Pair)


def test_no_rows_are_refused():
    with pytest.raises(InputError, match=r"^s holds no rows"):
        read_examples([], part(), "s")


def test_columns_that_fit_no_format_are_listed():
    with pytest.raises(InputError, match=r"^s: no format fits its columns text, price") as caught:
        read_examples([{"text": "a", "price": 1}], part(), "s")
    assert "data.prompt" in caught.value.fix


@pytest.mark.parametrize("missing", ["prompt", "completion"])
def test_a_row_without_a_column_is_named_by_its_number(missing):
    good = {"prompt": "a", "completion": "b"}
    bad = {key: value for key, value in good.items() if key != missing}
    with pytest.raises(InputError, match=f"^s: row 3 has no '{missing}'"):
        read_examples([good, good, bad], part(), "s")


@pytest.mark.parametrize("messages", [None, [], "Hi", {"role": "user"}])
def test_a_row_without_a_list_of_messages_is_named(messages):
    with pytest.raises(InputError, match=r"^s: row 2 has no list of 'messages'"):
        read_examples([CHAT, {"messages": messages}], part(), "s")


@pytest.mark.parametrize(
    "broken",
    ["Hi", None, {"content": "Hi"}, {"role": "user"}, {"role": 1, "content": "Hi"},
     {"role": "user", "content": None}, {"role": "user", "content": ["Hi"]}],
)  # fmt: skip
def test_a_broken_message_is_named_by_row_and_place(broken):
    row = {"messages": [message("user", "a"), message("assistant", "b"), broken]}
    with pytest.raises(InputError, match=r"^s: row 2: message 3 is not a role and a content"):
        read_examples([CHAT, row], part(), "s")


def test_a_conversation_in_which_the_assistant_says_nothing_is_refused():
    row = {"messages": [message("system", "a"), message("user", "b")]}
    with pytest.raises(InputError, match=r"^s: row 2: the assistant says nothing"):
        read_examples([CHAT, row], part(), "s")
