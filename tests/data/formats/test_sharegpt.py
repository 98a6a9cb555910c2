import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.examples import Conversation, Pair
from nybble.data.formats.sharegpt import ROLES, sharegpt_messages
from nybble.data.reading import read_examples
from nybble.data.render import Renderer
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError


def part(**fields) -> DataPart:
    return DataPart(train="rows.jsonl", **fields)


def row(*turns: tuple[str, str]) -> dict:
    return {"conversations": [{"from": who, "value": text} for who, text in turns]}


CHAT = row(("human", "Hi"), ("gpt", "Hello"))

# A tool is called by the assistant and answers as itself; written a second time on purpose.
SPEAKERS = {
    "system": "system", "human": "user", "user": "user", "gpt": "assistant",
    "assistant": "assistant", "function_call": "assistant", "tool": "tool", "observation": "tool",
}  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(sorted(SPEAKERS)), st.text()), min_size=1))
def test_every_turn_becomes_a_message_with_the_same_words(turns):
    messages = sharegpt_messages(row(*turns), "s: row 1")
    assert [(m["role"], m["content"]) for m in messages] == [(SPEAKERS[w], t) for w, t in turns]


def test_all_speakers_are_known():
    assert ROLES == SPEAKERS


def test_it_is_found_by_its_column():
    (chat,) = read_examples([CHAT], part(), "s")
    messages = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"})
    assert chat == Conversation(1, messages, CHAT)


def test_a_declared_format_counts_more_than_the_columns():
    both = CHAT | {"messages": [{"role": "assistant", "content": "other"}]}
    assert read_examples([both], part(), "s")[0].messages[0]["content"] == "other"
    (chat,) = read_examples([both], part(format="sharegpt"), "s")
    assert chat.messages[0]["content"] == "Hi"
    pair = read_examples([CHAT | {"q": "a"}], part(prompt="q", completion="q"), "s")[0]
    assert isinstance(pair, Pair)


def test_keys_beside_from_and_value_are_left_out():
    turns = [{"from": "gpt", "value": "Hello", "weight": 1}]
    (message,) = sharegpt_messages({"conversations": turns}, "s: row 1")
    assert message == {"role": "assistant", "content": "Hello"}


@pytest.mark.parametrize("turns", [None, [], "Hi", {"from": "human"}])
def test_a_row_without_a_list_of_turns_is_named(turns):
    with pytest.raises(InputError, match=r"^s: row 2 has no list of 'conversations'"):
        read_examples([CHAT, {"conversations": turns}], part(), "s")


@pytest.mark.parametrize(
    "broken",
    ["Hi", None, {"value": "Hi"}, {"from": "human"}, {"from": 1, "value": "Hi"},
     {"from": "human", "value": None}, {"from": "human", "value": ["Hi"]}],
)  # fmt: skip
def test_a_broken_turn_is_named_by_row_and_place(broken):
    bad = {"conversations": [*CHAT["conversations"], broken]}
    with pytest.raises(InputError, match=r"^s: row 2: turn 3 is not a from and a value"):
        read_examples([CHAT, bad], part(), "s")


def test_messages_in_the_column_of_turns_are_told_where_they_belong():
    bad = {"conversations": [{"role": "user", "content": "Hi"}]}
    with pytest.raises(InputError, match=r"turn 1 is not a from and a value") as caught:
        read_examples([bad], part(), "s")
    assert "'messages'" in caught.value.fix


@pytest.mark.parametrize(
    ("speaker", "fix"), [("Human", "Did you mean human?"), ("bing", "Known: system, human, user")]
)
def test_an_unknown_speaker_is_named(speaker, fix):
    bad = row(("gpt", "Hello"), (speaker, "Hi"))
    with pytest.raises(InputError, match=rf"^s: row 2: turn 2 is from '{speaker}'") as caught:
        read_examples([CHAT, bad], part(), "s")
    assert caught.value.fix.startswith(fix)


def test_a_conversation_without_an_answer_is_refused():
    with pytest.raises(InputError, match=r"^s: row 1: the assistant says nothing"):
        read_examples([row(("human", "Hi"), ("observation", "{}"))], part(), "s")


@pytest.fixture(scope="module")
def glaive(shared):
    path = shared / "data" / "chat" / "glaive_toolcall_en_demo.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_calls_and_observations_of_real_rows(glaive):
    chats = read_examples(glaive, part(), "s")
    roles = Counter(message["role"] for chat in chats for message in chat.messages)
    assert roles == {"user": 746, "assistant": 746 + 211, "tool": 211}
    for chat, source in zip(chats, glaive, strict=True):
        for i, turn in enumerate(source["conversations"]):
            assert chat.messages[i]["content"] == turn["value"]
            if turn["from"] == "function_call":
                assert chat.messages[i]["role"] == "assistant"
                assert chat.messages[i + 1]["role"] == "tool"


@pytest.mark.slow
def test_calls_and_answers_of_real_rows_are_what_is_scored(glaive, mini_tokenizer):
    renderer = Renderer(mini_tokenizer)
    for chat in read_examples(glaive[:60], part(), "s"):
        (rendered,) = renderer.chat_rows([chat], "completion", "s")
        said = [m["content"] for m in chat.messages if m["role"] == "assistant"]
        assert len(rendered.prompt_lengths) == len(said)
        ids = [i for i, is_scored in zip(rendered.input_ids, rendered.scored, strict=True)
               if is_scored]  # fmt: skip
        end = mini_tokenizer.eos_token
        assert mini_tokenizer.decode(ids) == "".join(text + end for text in said)
