import json

import pytest

from nybble.data.reading import read_examples
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError


def read(*rows, **fields):
    return read_examples(rows, DataPart(train="s", **fields), "s")


def said(chat):
    return [(message["role"], message["content"]) for message in chat.messages]


@pytest.mark.parametrize("row", [{"input": "x"}, {"input": ""}, {"input": None}, {}])
def test_the_input_stands_under_the_instruction_where_there_is_one(row):
    (chat,) = read({"instruction": "Mend.", "output": "Done.", **row})
    asked = "Mend.\n\nx" if row.get("input") else "Mend."
    assert said(chat) == [("user", asked), ("assistant", "Done.")]


def test_system_and_history_come_first():
    row = {"instruction": "c", "output": "d", "system": "s", "history": [["a", "b"]]}
    assert said(read(row)[0]) == [
        ("system", "s"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"),
    ]  # fmt: skip


def test_columns_may_have_other_names():
    columns = {"instruction": "question", "output": "answer"}
    (chat,) = read({"question": "a", "answer": "b"}, columns=columns)
    assert said(chat) == [("user", "a"), ("assistant", "b")]
    assert chat.columns["question"] == "a"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"instruction": "a"}, r"row 2 has no 'output' \(it has instruction\)"),
        ({"output": "a"}, "row 2 has no 'instruction'"),
        ({"instruction": "a", "output": 5}, "row 2: 'output' is a int, not a text"),
        ({"instruction": ["a"], "output": "b"}, "row 2: 'instruction' is a list"),
        ({"instruction": "a", "output": "b", "history": [["c"]]}, "'history' is not a list of"),
    ],
)
def test_a_broken_row_is_named(row, told):
    with pytest.raises(InputError, match=f"^s: .*{told}"):
        read({"instruction": "a", "output": "b"}, row, format="alpaca")


@pytest.mark.parametrize(
    ("file", "count"), [("instruct/instruction-data.json", 1100), ("chat/identity.json", 91)]
)
def test_real_rows(shared, file, count):
    rows = json.loads((shared / "data" / file).read_text(encoding="utf-8"))
    chats = read(*rows)
    assert len(chats) == count
    for chat, row in zip(chats, rows, strict=True):
        asked = f"{row['instruction']}\n\n{row['input']}" if row["input"] else row["instruction"]
        assert said(chat) == [("user", asked), ("assistant", row["output"])]
