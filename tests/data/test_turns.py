"""Where an answer begins and what of it is said, for templates with habits of their own."""

import pytest

from nybble.data.examples import Conversation
from nybble.data.render import Refused, Renderer

HEAD = "{% for m in messages %}[{{ m.role }}]"
TAIL = "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
TRIMS = HEAD + "{{ m.content | trim }}" + TAIL
# R1 without the opened tag: the thoughts of the answer that is to be learned are lost, too.
LOSES_THOUGHTS = HEAD + "{{ m.content.split('</think>')[-1] }}" + TAIL
NO_STOP = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "
CALLS = HEAD + "{{ m.content }}{% for c in m.tool_calls %}<call>{{ c.function.name }}{% endfor %}"
OPENS = TAIL.replace("[assistant]", "[assistant]\n<think>\n")
CALLS_WITHOUT_THOUGHT = (
    "{% for m in messages %}[{{ m.role }}]\n{{ m.content }}"
    "{% for c in m.tool_calls %}<tool>{{ c.function.name }}{% endfor %}" + OPENS
)
# Nemo's: the system message goes before the last message, if that is the user's.
MOVES_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'user' %}[user]"
    "{% if loop.last %}{{ messages[0].content }}{% endif %}{{ m.content }}<go>"
    "{% elif m.role == 'assistant' %}"
    "{% for c in m.tool_calls %}<tool>{{ c.function.name }}{% endfor %}{{ m.content }}"
    "{{ eos_token }}{% endif %}{% endfor %}"
)

CALL = {"type": "function", "function": {"name": "weather", "arguments": {}}}
USER = {"role": "user", "content": "?"}
CALLED = {"role": "assistant", "content": "", "tool_calls": [CALL]}


@pytest.fixture
def said(character_tokenizer):
    """What is scored in each row of a conversation, as texts."""

    def of(template, *messages, special=()):
        tokenizer = character_tokenizer(template)
        for i, name in enumerate(special):
            from types import SimpleNamespace

            tokenizer.added_tokens_decoder[5 + i] = SimpleNamespace(content=name, special=True)
        rows = Renderer(tokenizer).chat_rows([Conversation(1, messages, {})], "completion", "s")
        return [
            row.reason
            if isinstance(row, Refused)
            else tokenizer.text(
                [i for i, scored in zip(row.input_ids, row.scored, strict=True) if scored]
            )
            for row in rows
        ]

    return of


def answer(text):
    return {"role": "assistant", "content": text}


def test_an_answer_is_trimmed_where_the_template_trims_it(said):
    assert said(TRIMS, USER, answer(" 4 \n")) == ["4<eos>"]


def test_what_a_template_loses_of_an_answer_is_said_all_the_same(said):
    assert said(LOSES_THOUGHTS, USER, answer("<think>a</think>4")) == ["<think>a</think>4<eos>"]


def test_an_answer_that_a_template_does_not_end_ends_with_the_tokenizers_stop(said):
    two = said(NO_STOP, USER, answer("4"), USER, answer("5"))
    assert two == ["4<eos>", "5<eos>"]


def test_a_call_is_said_as_the_template_writes_it(said):
    assert said(CALLS + TAIL, USER, CALLED, USER, answer("4")) == ["<call>weather<eos>4<eos>"]


def test_a_call_without_the_thought_that_the_prompt_opens(said):
    assert said(CALLS_WITHOUT_THOUGHT, USER, CALLED) == ["<tool>weather<eos>"]


def test_a_call_after_a_system_message_that_moves(said):
    system = {"role": "system", "content": "Be kind."}
    assert said(MOVES_SYSTEM, system, USER, CALLED, special=["<go>"]) == ["<tool>weather<eos>"]


@pytest.mark.parametrize(
    "template", [HEAD + "{{ m.content }}" + TAIL, HEAD + "{{ m.content }}" + OPENS]
)
def test_a_template_that_leaves_out_a_call_refuses_the_row(said, template):
    (reason,) = said(template, USER, CALLED)
    assert reason == "is refused by the chat template: it leaves out a tool call"
