import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.data.examples import Conversation
from nybble.data.render import Refused, Renderer
from nybble.data.special_tokens import CLOSE, OPEN, SpecialTokens
from nybble.runs.errors import InputError


def chat(*turns) -> Conversation:
    return Conversation(7, tuple({"role": r, "content": c} for r, c in turns), {})


def test_texts_that_spell_a_special_token_are_found_wherever_they_are(character_tokenizer):
    special = SpecialTokens(character_tokenizer())
    for value in ("a<eos>", ["<bos>"], {"a": {"<eos>": 1}}, [{"a": ("x", "<eos>")}]):
        assert special.spelled(value)
    for value in ("", "<eos", "eos>", [1, None, {"a": 2.5}], {"< eos>": "< bos>"}):
        assert not special.spelled(value)


@given(st.lists(st.sampled_from(["<eos>", "<bos>", "<", "eos>", "a", "\n"])).map("".join))
def test_marks_come_off_without_a_trace(character_tokenizer, text):
    special = SpecialTokens(character_tokenizer())
    value = {"content": text, "calls": [{text: text, "n": 3}]}
    assert special.unmark(special.mark(value)) == value


def test_what_is_marked_stays_and_what_is_not_is_renamed(character_tokenizer):
    special = SpecialTokens(character_tokenizer())
    marked = special.mark("a <eos> b")
    bos, eos = special.renamed("<bos>"), special.renamed("<eos>")
    assert special.respell(f"<bos>{marked}<eos>") == f"{bos}a <eos> b{eos}"
    # A template that splits a text may leave one mark of two.
    assert special.respell(f"<bos>{marked.replace(OPEN, '')}") == f"{bos}a {eos} b"
    assert special.respell(f"{CLOSE}b<eos>") == f"b{eos}"


def test_tokens_between_turns_are_special_whatever_they_are_called(character_tokenizer):
    from types import SimpleNamespace

    tokenizer = character_tokenizer()
    tokenizer.added_tokens_decoder = {
        **tokenizer.added_tokens_decoder,
        8: SimpleNamespace(content="<user>", special=False),
        9: SimpleNamespace(content="<think>", special=False),
    }
    special = SpecialTokens(tokenizer, "<bos><user>A question")
    assert special.spelled("<user>")
    assert not special.spelled("<think>")


def test_a_tokenizer_that_cannot_be_copied_refuses_such_rows(character_tokenizer):
    renderer = Renderer(character_tokenizer())
    rows = renderer.chat_rows(
        [chat(("user", "a<eos>"), ("assistant", "b")), chat(("user", "a"), ("assistant", "b"))],
        "completion",
        "s",
    )
    assert isinstance(rows[0], Refused)
    assert "spells a special token" in rows[0].reason
    assert not isinstance(rows[1], Refused)


# With real tokenizers.

SPELLINGS = {
    "mini": ("mini_tokenizer", None),
    "qwen2.5": ("qwen_tokenizer", "Qwen-Qwen2.5-7B-Instruct"),
    "qwen3": ("qwen_tokenizer", "Qwen-Qwen3-0.6B"),
    "llama-3.2": ("llama_tokenizer", "meta-llama-Llama-3.2-3B-Instruct"),
}


@pytest.fixture(params=SPELLINGS)
def renderer(request):
    fixture, template = SPELLINGS[request.param]
    tokenizer = request.getfixturevalue(fixture)
    if template:
        folder = request.getfixturevalue("shared") / "chat_templates"
        tokenizer.chat_template = (folder / f"{template}.jinja").read_text(encoding="utf-8")
    return Renderer(tokenizer)


def special_ids(renderer, ids):
    return [i for i in ids if i in renderer.special.stock.special_ids]


@pytest.mark.slow
def test_a_spelled_special_token_never_becomes_one(renderer):
    tokenizer = renderer.tokenizer
    names = [*list(renderer.special.stock.ids)[:6], renderer.chat_stop]
    text = st.lists(st.sampled_from([*names, "a", " ", "b c", "é", "<|", "|>"])).map("".join)
    talk = st.lists(st.tuples(text, text), min_size=1, max_size=3)

    @settings(max_examples=25)
    @given(talk)
    def law(exchanges):
        turns = [t for q, a in exchanges for t in (("user", f"q{q}"), ("assistant", f"a{a}z"))]
        blank = [(role, "x") for role, _ in turns]
        spelled = chat(*turns)
        rows = renderer.chat_rows([spelled], "completion", "s")
        without = renderer.chat_rows([chat(*blank)], "completion", "s")
        assert len(rows) == len(without)
        for row, other in zip(rows, without, strict=True):
            assert special_ids(renderer, row.input_ids) == special_ids(renderer, other.input_ids)
        assert all(row.spelled for row in rows) == renderer.special.spelled(spelled.messages)
        text = tokenizer.apply_chat_template(list(spelled.messages), tokenize=False)
        said = tokenizer.decode(rows[-1].input_ids, clean_up_tokenization_spaces=False)
        assert text.startswith(said)
        places = [i for i, m in enumerate(spelled.messages) if m["role"] == "assistant"]
        prompts = [renderer.chat_prompt_ids(spelled.messages[:at], "s") for at in places]
        found = [row.input_ids[:length] for row in rows for length in row.prompt_lengths]
        assert found == prompts

    law()


@pytest.mark.slow
def test_the_other_spelling_gives_the_ids_of_the_usual_one(renderer):
    """What no turn spells is tokenised the same by the copy of the tokenizer."""
    special, tokenizer = renderer.special, renderer.tokenizer

    @settings(max_examples=25)
    @given(st.lists(st.text(max_size=8) | st.sampled_from([*special.stock.ids]), max_size=8))
    def law(pieces):
        text = "".join(pieces)
        copied = special.respelled.encode([special.respell(text)])[0]
        assert copied == tokenizer(text, add_special_tokens=False).input_ids

    law()


@pytest.mark.slow
def test_spelled_tokens_in_tools_and_calls_stay_text(shared, qwen_tokenizer):
    file = shared / "chat_templates" / "Qwen-Qwen2.5-7B-Instruct.jinja"
    qwen_tokenizer.chat_template = file.read_text(encoding="utf-8")
    renderer = Renderer(qwen_tokenizer)
    call = {
        "type": "function",
        "function": {"name": "f", "arguments": {"<|im_end|>": "<|im_end|>"}},
    }
    tool = {"type": "function", "function": {"name": "f", "description": "<|im_start|>"}}
    messages = (
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
    )
    (row,) = renderer.chat_rows([Conversation(1, messages, {}, (tool,))], "completion", "s")
    assert row.spelled
    names = [renderer.tokenizer.decode([i]) for i in special_ids(renderer, row.input_ids)]
    assert names == ["<|im_start|>", "<|im_end|>"] * 3
    (asked,) = [renderer.chat_prompt_ids(messages[:1], "s", [tool])]
    assert row.input_ids[: row.prompt_lengths[0]] == asked


@pytest.mark.slow
def test_reserved_characters_beside_a_spelled_token_are_refused(qwen_tokenizer):
    renderer = Renderer(qwen_tokenizer)
    with pytest.raises(InputError, match="reserved characters"):
        renderer.chat_prompt_ids([{"role": "user", "content": f"{OPEN}<|im_end|>"}], "s")
    renderer.chat_prompt_ids([{"role": "user", "content": f"{OPEN}fine"}], "s")


@pytest.mark.slow
def test_a_template_that_reads_a_spelled_token_is_refused(qwen_tokenizer, monkeypatch):
    template = (
        "{% for m in messages %}{{ m.content | length }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}!{% endif %}"
    )
    monkeypatch.setattr(qwen_tokenizer, "chat_template", template)
    with pytest.raises(InputError, match="reads a special token"):
        Renderer(qwen_tokenizer).chat_prompt_ids([{"role": "user", "content": "<|im_end|>"}], "s")
