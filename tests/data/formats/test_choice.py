import pytest

from nybble.data.examples import Conversation, Pair, Text
from nybble.data.reading import read_examples
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError

CHAT = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
TURNS = [{"from": "human", "value": "c"}, {"from": "gpt", "value": "d"}]
ROWS = {
    "text": {"text": "once"},
    "prompt-completion": {"prompt": "p", "completion": "q"},
    "alpaca": {"instruction": "e", "output": "f"},
    "sharegpt": {"conversations": TURNS},
    "messages": {"messages": CHAT},
}
EVERYTHING = {name: value for row in ROWS.values() for name, value in row.items()}


def read(row, **fields):
    return read_examples([row], DataPart(train="s", **fields), "s")[0]


def essence(example):
    if isinstance(example, Conversation):
        return [m["content"] for m in example.messages]
    return type(example).__name__, example.prompt, example.completion


ESSENCE = {
    "text": ("Text", "", "once"), "prompt-completion": ("Pair", "p", "q"), "alpaca": ["e", "f"],
    "sharegpt": ["c", "d"], "messages": ["a", "b"],
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_format_is_found_by_its_columns_or_named(name):
    assert essence(read(ROWS[name])) == ESSENCE[name]
    assert essence(read(EVERYTHING, format=name)) == ESSENCE[name]


def test_columns_of_nulls_tell_nothing():
    assert essence(read({"messages": None, **ROWS["alpaca"]})) == ["e", "f"]


def test_a_text_beside_other_columns_may_be_anything():
    with pytest.raises(InputError, match="no format fits its columns text, code"):
        read({"text": "Write a function.", "code": "def f(): pass"})
    assert read({"text": "a", "n": 1}, format="text") == Text(1, "", "a", {"text": "a", "n": 1})


def test_a_text_may_be_a_template():
    (text,) = [read({"t": "a", "b": 2.5}, format="text", completion="{t}: {b:.0f}")]
    assert (text.prompt, text.completion) == ("", "a: 2")


def test_columns_of_any_names():
    columns = {"prompt": "question", "completion": "answer"}
    pair = read({"question": "a", "answer": "b"}, columns=columns)
    assert isinstance(pair, Pair) and (pair.prompt, pair.completion) == ("a", "b")
    assert essence(read({"chat": CHAT}, columns={"messages": "chat"})) == ["a", "b"]


def test_a_mapped_column_that_the_format_has_not_is_refused():
    with pytest.raises(InputError, match=r"data\.columns maps 'output'") as told:
        read(ROWS["messages"], columns={"output": "x"})
    assert told.value.fix == "It has messages, tools."


def test_a_mapped_column_that_a_row_lacks_is_named():
    with pytest.raises(InputError, match=r"s: row 1 has no list of 'messages' \(it has chat\)"):
        read({"chat": CHAT}, format="messages", columns={"messages": "talk"})
