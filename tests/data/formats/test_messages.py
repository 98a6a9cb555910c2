import pytest

from nybble.data.reading import read_examples
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError

USER = {"role": "user", "content": "Weather?"}
SAID = {"role": "assistant", "content": "Sun."}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"place": "Rome"}}}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]


def read(*messages, **columns):
    row = {"messages": list(messages), **columns}
    return read_examples([row], DataPart(train="s"), "s")[0]


def calling(*calls, **fields):
    return {"role": "assistant", "tool_calls": list(calls), **fields}


def test_calls_and_results_are_kept_for_the_template():
    result = {"role": "tool", "content": "21 C", "name": "weather", "tool_call_id": "1"}
    chat = read(USER, calling(CALL), result, SAID, tools=TOOLS)
    assert chat.messages == (USER, calling(CALL, content=""), result, SAID)
    assert chat.tools == tuple(TOOLS)


@pytest.mark.parametrize(
    "call",
    [
        {"function": {"name": "weather", "arguments": '{"place": "Rome"}'}},
        {"name": "weather", "arguments": {"place": "Rome"}},
        {"type": "function", "id": None, "function": {**CALL["function"], "strict": None}},
    ],
)
def test_calls_are_written_in_one_way(call):
    assert read(USER, calling(call)).messages[1]["tool_calls"] == [CALL]


def test_arguments_may_be_left_out():
    (call,) = read(USER, calling({"function": {"name": "now"}})).messages[1]["tool_calls"]
    assert call["function"] == {"name": "now", "arguments": {}}


def test_nulls_that_arrow_writes_into_every_message_are_left_out():
    nulls = {"tool_calls": None, "name": None, "tool_call_id": None}
    assert read(USER | nulls, SAID | nulls, tools=None).messages == (USER, SAID)
    assert read(USER, SAID | {"tool_calls": []}).messages == (USER, SAID)


def test_other_keys_go_to_the_template():
    thought = SAID | {"reasoning_content": "Look up."}
    assert read(USER, thought).messages == (USER, thought)


@pytest.mark.parametrize("tools", ["", "  ", None, [], "[]"])
def test_no_tools(tools):
    assert read(USER, SAID, tools=tools).tools == ()


def test_tools_may_be_the_json_of_a_list():
    wrapped = {"type": "function", "function": {"name": "weather"}}
    assert read(USER, SAID, tools='[{"name": "weather"}]').tools == (wrapped,)


def test_bare_tools_are_wrapped_as_templates_read_them():
    bare = {"name": "weather", "parameters": {"type": "object"}}
    wrapped = {"type": "function", "function": bare}
    for given in ([bare], [wrapped]):
        assert read(USER, SAID, tools=given).tools == (wrapped,)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ((USER, calling({"function": {"arguments": {}}})), "message 2: call 1 has no function's"),
        ((USER, calling("weather()")), "message 2: call 1 is not a call"),
        ((USER, calling({"name": "a", "arguments": "{"})), "message 2: call 1: its argu.* no JSON"),
        ((USER, calling({"name": "a", "arguments": [1]})), "call 1: its arguments are not"),
        ((USER, {"role": "assistant", "tool_calls": "x"}), "message 2: 'tool_calls': no JSON"),
        ((USER, {"role": "assistant", "tool_calls": "5"}), "message 2: 'tool_calls' is not a list"),
        ((USER | {"tool_calls": [CALL]}, SAID), "message 1 calls a tool, but is not"),
        ((USER, {"role": "bot", "content": "a"}), "message 2 has the role 'bot'"),
        ((USER, {"role": "Assistant", "content": "a"}), "message 2 has the role 'Assistant'"),
        ((USER, {"role": "assistant"}), "message 2 is not a role and a content"),
    ],
)
def test_a_broken_message_is_named(messages, told):
    with pytest.raises(InputError, match=f"^s: row 1: .*{told}"):
        read(*messages)


@pytest.mark.parametrize("role", ["human", "bot", "Asistant"])
def test_a_role_that_is_near_gets_guessed(role):
    with pytest.raises(InputError) as told:
        read({"role": role, "content": "a"}, SAID)
    assert told.value.fix == f"Did you mean {'user' if role == 'human' else 'assistant'}?"


@pytest.mark.parametrize("tools", ["{", '{"name": "a"}', ["a"], 5])
def test_broken_tools_are_named(tools):
    with pytest.raises(InputError, match=r"^s: row 1: 'tools'(: no| is not)"):
        read(USER, SAID, tools=tools)
