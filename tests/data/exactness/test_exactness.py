"""Rows of random conversations, for every template, against a slow oracle that shares no code.

`make exhaustive` draws 1,000 conversations for each template, `make test` a tenth of them.
"""

import datetime
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nybble.data.examples import Conversation
from nybble.data.render import Refused, Renderer

from . import oracle
from .conversations import conversations

pytestmark = pytest.mark.slow

EXAMPLES = 1000 if settings.get_current_profile_name() == "exhaustive" else 100
TODAY = datetime.date(2026, 3, 5)
IM = ["<|im_start|>", "<|im_end|>"]
THINK = ["<think>", "</think>"]
R1 = "<｜tool▁{}｜>"

# For each template: the tokenizer, special tokens that it lacks, others that it lacks, the token
# that ends turns, and whether calls of tools are drawn.
TEMPLATES = {
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use": ("llama", IM, ["<tool_call>", "</tool_call>"],
                                                    "<|im_end|>", True),
    "Qwen-QwQ-32B": ("qwen", [], THINK, "<|im_end|>", True),
    "Qwen-Qwen2.5-7B-Instruct": ("qwen", [], [], "<|im_end|>", True),
    "Qwen-Qwen3-0.6B": ("qwen", [], THINK, "<|im_end|>", True),
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": (
        "qwen", ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"],
        ["<｜User｜>", "<｜Assistant｜>", *THINK, *map(R1.format, (
            "calls▁begin", "calls▁end", "call▁begin", "call▁end", "sep", "outputs▁begin",
            "outputs▁end", "output▁begin", "output▁end"))],
        "<｜end▁of▁sentence｜>", False),
    "google-gemma-2-2b-it": ("llama", ["<start_of_turn>", "<end_of_turn>"], [], "<end_of_turn>",
                             False),
    "meta-llama-Llama-3.1-8B-Instruct": ("llama", [], [], "<|eot_id|>", True),
    "meta-llama-Llama-3.2-3B-Instruct": ("llama", [], [], "<|eot_id|>", True),
    "meta-llama-Llama-3.3-70B-Instruct": ("llama", [], [], "<|eot_id|>", True),
    "microsoft-Phi-3.5-mini-instruct": (
        "llama", ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"], [], "<|end|>", False),
    "mistralai-Mistral-Nemo-Instruct-2407": (
        "llama", ["<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[TOOL_RESULTS]",
                  "[/TOOL_RESULTS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"], [], "</s>", True),
}  # fmt: skip
BEGINS = {"deepseek": "<｜begin▁of▁sentence｜>", "mistralai": "<s>"}


@pytest.fixture(scope="module")
def case(request, shared):
    """A template with a tokenizer that has its special tokens, as the oracle wants it."""
    from transformers import AddedToken

    from nybble.data.tokenizer import load_tokenizer

    name = request.param
    base, special, others, stop, _ = TEMPLATES[name]
    model = {"llama": "llama-3.2-3b", "qwen": "qwen2.5-0.5b-instruct"}[base]
    tokenizer = load_tokenizer(shared / "models" / model)
    # Phi's own tokens take the white space behind them.
    strips = name.startswith("microsoft")
    added = [AddedToken(t, special=True, normalized=False, rstrip=strips) for t in special]
    tokenizer.add_tokens(added, special_tokens=True)
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in others])
    if name.startswith(("google", "meta", "microsoft")):
        assert tokenizer.eos_token == "<|end_of_text|>"  # turns end otherwise, as in those models
    else:
        tokenizer.eos_token = stop
    tokenizer.bos_token = BEGINS.get(name.split("-")[0], tokenizer.bos_token)
    file = shared / "chat_templates" / f"{name}.jinja"
    tokenizer.chat_template = file.read_text(encoding="utf-8")
    told = {"date_string": f"{TODAY:%d %b %Y}"} if "strftime_now" in tokenizer.chat_template else {}
    return oracle.Case(name, tokenizer, stop, told)


@pytest.mark.parametrize("case", TEMPLATES, indirect=True)
def test_rows_are_those_of_the_oracle(case):
    renderer = Renderer(case.tokenizer, TODAY)
    assert renderer.chat_stop == case.stop
    seen = Counter()
    calls = TEMPLATES[case.name][-1]

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(
        drawn=conversations(calls, always_tools="Hermes" in case.name),
        score=st.sampled_from(["assistant", "completion", "last", "all"]),
    )
    def exact(drawn, score):
        messages, tools = drawn
        if any(token in str(drawn) for token in renderer.special.stock.ids):
            return  # the tests of spelled special tokens
        seen["conversations"] += 1
        rows = renderer.chat_rows([Conversation(3, tuple(messages), {}, tuple(tools))], score, "s")
        if "gemma" in case.name:
            messages = with_system_in_the_first_turn(messages)
        expected = oracle.expected_rows(case, messages, tools, score)
        if expected is None:
            assert [type(row) for row in rows] == [Refused]
            seen["refused"] += 1
            seen[rows[0].reason] += 1
            return
        assert [(row.input_ids, row.scored) for row in rows] == [
            (row.ids, row.scored) for row in expected
        ]
        check_against_the_library(rows, expected, messages, tools, score)

    def check_against_the_library(rows, expected, messages, tools, score):
        """Ids are those of `apply_chat_template(tokenize=True)`: of a prompt always, and of the
        whole where prompt and answer are not joined and the template keeps all of the answer."""
        answers = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
        ends = answers[-len(rows) :] if expected[0].kind != "whole" else answers[-1:]
        for row, want, end in zip(rows, expected, ends, strict=True):
            seen[want.kind] += 1
            seen["rows"] += 1
            asked = oracle.tokenized(case, messages[:end], True, tools)
            assert row.input_ids[: row.prompt_lengths[-1]] == asked
            through = oracle.render(case, messages[: end + 1], False, tools)
            text = through[: through.rfind(case.stop) + len(case.stop)]
            if want.kind != "joined" and oracle.plain(case, text)[0] == row.input_ids:
                seen["as the library tokenises it"] += 1
                ids = oracle.tokenized(case, messages[: end + 1], False, tools)
                assert ids[: len(row.input_ids)] == row.input_ids

    exact()
    print(f"\n{case.name}: {dict(seen)}")
    assert seen["conversations"] >= 0.9 * EXAMPLES
    assert seen["rows"] > seen["refused"]


def with_system_in_the_first_turn(messages):
    if [m["role"] for m in messages[:2]] != ["system", "user"]:
        return messages
    first = {"role": "user", "content": messages[0]["content"] + "\n\n" + messages[1]["content"]}
    return [first, *messages[2:]]
