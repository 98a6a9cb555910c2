"""Random conversations: unicode, empty turns, thoughts, tools."""

from hypothesis import strategies as st

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather in a town.",
            "parameters": {
                "type": "object",
                "properties": {"town": {"type": "string", "description": "Where, e.g. Åre"}},
                "required": ["town"],
            },
        },
    }
]
ID = "abcdefghi"  # nine letters, as Mistral wants them

# Texts of any characters, of those that tokenizers treat in their own ways, and of thoughts.
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TRICKY = st.text(
    st.sampled_from("ab Z19é漢🙂.,:'<>|{}[]/\\\"\n\t\r\u00a0\u200b\u0301"), max_size=20
)
THOUGHT = st.tuples(
    st.sampled_from(["<think>\n", "<think>", "", "<think>\n\n"]),
    TRICKY,
    st.sampled_from(["\n</think>\n\n", "</think>", "</think>\n", "\n</think>"]),
    ANY,
).map("".join)
TEXT = ANY | TRICKY | st.sampled_from(["", " ", "\n", "\n\nx", "  x  "])
ANSWER = TEXT | THOUGHT | st.tuples(THOUGHT, THOUGHT).map("".join)


def _message(role, content):
    return {"role": role, "content": content}


@st.composite
def _exchange(draw, calls):
    """A question and its answer; between them perhaps a call of a tool and what came of it."""
    turns = [_message("user", draw(TEXT))]
    if calls and draw(st.integers(0, 2)) == 0:
        arguments = draw(st.dictionaries(st.just("town") | TEXT, TEXT | st.integers(), max_size=2))
        call = {
            "id": ID,
            "type": "function",
            "function": {"name": "weather", "arguments": arguments},
        }
        turns.append({"role": "assistant", "content": draw(TEXT), "tool_calls": [call]})
        turns.append({"role": "tool", "content": draw(TEXT), "tool_call_id": ID})
    turns.append(_message("assistant", draw(ANSWER)))
    return turns


@st.composite
def conversations(draw, calls, always_tools):
    """Messages and tools. Few have an order of roles that some template refuses."""
    messages = [m for turns in draw(st.lists(_exchange(calls), min_size=1, max_size=3))
                for m in turns]  # fmt: skip
    if draw(st.booleans()):
        messages.insert(0, _message("system", draw(TEXT)))
    odd = draw(st.sampled_from(["no"] * 16 + ["user last"] * 3 + ["assistant first", "two users"]))
    if odd == "assistant first":
        messages.insert(0, _message("assistant", draw(TEXT)))
    elif odd == "two users":
        messages.insert(draw(st.integers(0, len(messages))), _message("user", draw(TEXT)))
    elif odd == "user last":
        messages.append(_message("user", draw(TEXT)))
    uses = any("tool_calls" in message for message in messages)
    tools = TOOLS if always_tools or (calls and (uses or draw(st.booleans()))) else []
    return messages, tools
