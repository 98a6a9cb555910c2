import io
import json
from types import SimpleNamespace

import pytest

from nybble.pipeline.asking import Asking, Given, read_given
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError

ONE = DataPart(train="rows.jsonl", prompt="{title}\nPrice is $", completion="{price:.0f}")
TWO = DataPart(train="rows.jsonl", prompt="{title} by {brand}: $", completion="{price}")
PLAIN = DataPart(train="rows.jsonl")


def asked(text: str, part: DataPart = PLAIN, **more):
    (example,) = Asking(part, **more).examples(Given("The prompt", (text,), single=True))
    return example


def test_a_text_is_the_one_column_of_the_prompt() -> None:
    assert asked("Lamp", ONE, conversations=False).prompt == "Lamp\nPrice is $"
    assert asked("Lamp", PLAIN, conversations=False).prompt == "Lamp"


def test_of_several_columns_a_text_is_a_row() -> None:
    row = json.dumps({"title": "Lamp", "brand": "Okoru"})
    assert asked(row, TWO, conversations=False).prompt == "Lamp by Okoru: $"
    with pytest.raises(InputError, match="made of title, brand") as caught:
        asked("Lamp", TWO, conversations=False)
    assert '{"title": ..., "brand": ...}' in caught.value.fix
    with pytest.raises(InputError, match="The prompt has no 'brand'"):
        asked('{"title": "Lamp"}', TWO, conversations=False)


def test_raw_is_sent_as_it_is() -> None:
    for conversations in (True, False):
        assert asked(" Lamp $", TWO, conversations=conversations, raw=True).prompt == " Lamp $"


def test_of_conversations_a_text_is_a_users_turn() -> None:
    system, user, answer = asked("Hi", conversations=True, system="Be nice.").messages
    assert system == {"role": "system", "content": "Be nice."}
    assert user == {"role": "user", "content": "Hi"}
    assert answer == {"role": "assistant", "content": ""}


@pytest.mark.parametrize("more", [{"conversations": False}, {"conversations": True, "raw": True}])
def test_a_system_message_needs_a_conversation(more) -> None:
    with pytest.raises(InputError, match="--system"):
        Asking(PLAIN, system="Be nice.", **more)


def rows_asked(rows, part: DataPart = PLAIN, **more):
    return Asking(part, **more).examples(Given("rows.jsonl", rows=tuple(rows)))


def test_rows_need_no_answers_and_keep_their_numbers() -> None:
    rows = [{"title": "Lamp"}, {"title": "Sofa", "price": 9.0}]
    examples = rows_asked(rows, ONE, conversations=False)
    assert [(e.number, e.prompt) for e in examples] == [
        (1, "Lamp\nPrice is $"), (2, "Sofa\nPrice is $"),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"rows\.jsonl: row 2 has no 'title'"):
        rows_asked([rows[0], {"price": 1}], ONE, conversations=False)


def test_conversations_are_asked_up_to_their_last_answer() -> None:
    user, assistant = ({"role": role, "content": role} for role in ("user", "assistant"))
    rows = [{"messages": [user, assistant]}, {"messages": [user]},
            {"messages": [user, assistant, user]}]  # fmt: skip
    for system in (None, "Be nice."):
        examples = rows_asked(rows, conversations=True, system=system)
        before = [] if system is None else ["system"]
        assert [[m["role"] for m in e.messages] for e in examples] == [
            [*before, "user", "assistant"],
            [*before, "user", "assistant"],
            [*before, "user", "assistant", "user", "assistant"],
        ]


def test_a_rows_own_system_message_stays() -> None:
    own = {"role": "system", "content": "Be brief."}
    rows = [{"messages": [own, {"role": "user", "content": "Hi"}]}]
    (example,) = rows_asked(rows, conversations=True, system="Be nice.")
    assert [m["content"] for m in example.messages] == ["Be brief.", "Hi", ""]


def test_a_row_with_a_prompt_is_a_users_turn() -> None:
    (example,) = rows_asked([{"prompt": "Hi"}], conversations=True)
    assert [m["content"] for m in example.messages] == ["Hi", ""]


def test_sharegpt_rows_are_asked_likewise() -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    for row in ({"conversations": turns}, {"conversations": turns[:1]}):
        (example,) = rows_asked([row], conversations=True)
        assert [m["role"] for m in example.messages] == ["user", "assistant"]


def test_lines_and_rows_are_read_from_files(tmp_path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("\ufeffOne\n\n  \nTwo é\n", encoding="utf-8")
    assert read_given(None, lines).texts == ("One", "Two é")
    table = tmp_path / "rows.csv"
    table.write_text("prompt,n\nHi,1\n")
    assert read_given(None, table).rows == ({"prompt": "Hi", "n": "1"},)


@pytest.mark.parametrize("piped", ["One\ntwo\n", "One\ntwo"])
def test_standard_input_is_one_prompt(monkeypatch, piped) -> None:
    stdin = SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(piped.encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert read_given(None, None) == Given("Standard input", ("One\ntwo",), single=True)


def test_no_prompt_two_prompts_and_files_without_any_are_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    empty, latin = tmp_path / "empty.txt", tmp_path / "latin.txt"
    empty.write_text("\n")
    latin.write_bytes(b"caf\xe9")
    for prompt, file, told in [
        (None, None, "There is no prompt"),
        ("Hi", empty, "A prompt and --file"),
        (None, empty, "holds no lines"),
        (None, latin, "not UTF-8 at byte 4"),
        (None, tmp_path / "nowhere.txt", "There is no file"),
        (None, tmp_path / "nowhere.jsonl", "There is no file"),
    ]:
        with pytest.raises(InputError, match=told):
            read_given(prompt, file)
