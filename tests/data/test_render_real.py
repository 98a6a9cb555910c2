"""The renderer's laws with real tokenizers and the templates of real models."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.data.examples import Conversation, Pair
from nybble.data.render import Renderer

pytestmark = pytest.mark.slow


def chat(*turns) -> Conversation:
    return Conversation(7, tuple({"role": r, "content": c} for r, c in turns), {})


THOUGHTFUL = chat(
    ("user", "2+2?"),
    ("assistant", "<think>\nadd\n</think>4"),
    ("user", "3+3?"),
    ("assistant", "<think>\nadd more\n</think>6"),
)

REAL = {
    "mini": ("mini_tokenizer", None),
    "llama-3.2": ("llama_tokenizer", None),
    "qwen2.5": ("qwen_tokenizer", "Qwen-Qwen2.5-7B-Instruct"),
    "qwen3": ("qwen_tokenizer", "Qwen-Qwen3-0.6B"),
    "qwq": ("qwen_tokenizer", "Qwen-QwQ-32B"),
    "r1": ("qwen_tokenizer", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B"),
}
KEEP_THE_LAW = ["mini", "llama-3.2", "qwen2.5"]
OPEN_THOUGHTS = ["qwq", "r1"]


@pytest.fixture
def renderer(request):
    """The renderer of the case that a test is given as its parameter."""
    fixture, template = REAL[request.param]
    tokenizer = request.getfixturevalue(fixture)
    if template:
        folder = request.getfixturevalue("shared") / "chat_templates"
        tokenizer.chat_template = (folder / f"{template}.jinja").read_text(encoding="utf-8")
    return Renderer(tokenizer)


def cases(names):
    return pytest.mark.parametrize("renderer", names, indirect=True)


def said(renderer, row):
    return renderer.tokenizer.decode(
        [i for i, is_scored in zip(row.input_ids, row.scored, strict=True) if is_scored]
    )


def check_law(renderer, talk):
    """Every answer follows a prompt that is, id for id, what the library renders for inference."""
    tokenizer = renderer.tokenizer
    rows = renderer.chat_rows([talk], "completion", "s")
    places = [i for i, m in enumerate(talk.messages) if m["role"] == "assistant"]
    prompts = [
        tokenizer.apply_chat_template(
            list(talk.messages[:place]), add_generation_prompt=True, return_dict=False
        )
        for place in places
    ]
    assert [r.input_ids[:length] for r in rows for length in r.prompt_lengths] == prompts
    for row in rows:
        assert row.input_ids[-1] == tokenizer.eos_token_id
        assert row.scored[-1]
        assert not any(row.scored[: row.prompt_lengths[0]])
        bos = tokenizer.bos_token_id
        assert bos is None or row.input_ids.count(bos) == 1
    return rows


WORDS = st.text(st.sampled_from("ab Z9é漢🙂.,:\n\t'"), min_size=1, max_size=12)
PLAIN_TALK = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3).map(
    lambda turns: chat(
        ("system", "Be kind."), *(t for q, a in turns for t in (("user", q), ("assistant", a)))
    )
)


@cases(REAL)
def test_law_1_on_real_templates(renderer):
    @settings(max_examples=25)
    @given(PLAIN_TALK)
    def law(talk):
        check_law(renderer, talk)

    law()


@cases(REAL)
def test_law_1_on_conversations_with_thoughts(renderer):
    check_law(renderer, THOUGHTFUL)


@cases(KEEP_THE_LAW)
def test_a_whole_row_is_what_the_library_renders_up_to_the_last_stop(renderer):
    @settings(max_examples=25)
    @given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3))
    def law(turns):
        texts = [(f"q{q}?", f"a{a}!") for q, a in turns]
        talk = chat(*(t for q, a in texts for t in (("user", q), ("assistant", a))))
        ids = renderer.tokenizer.apply_chat_template(list(talk.messages), return_dict=False)
        end = len(ids) - ids[::-1].index(renderer.stop_id)
        (row,) = renderer.chat_rows([talk], "completion", "s")
        assert row.input_ids == ids[:end]

    law()


@cases(KEEP_THE_LAW)
@pytest.mark.parametrize("score", ["completion", "last", "all"])
def test_scored_tokens_lie_in_the_characters_of_the_answers(renderer, score):
    tokenizer = renderer.tokenizer
    talk = chat(
        ("system", "Be kind."), ("user", "What is 2+2?"), ("assistant", "It is four."),
        ("user", "And 3+3?"), ("assistant", "That makes 6, of course."),
    )  # fmt: skip
    text = tokenizer.apply_chat_template(list(talk.messages), tokenize=False)
    spans = []
    for answer in ("It is four.", "That makes 6, of course."):
        begin = text.index(answer)
        spans.append((begin, begin + len(answer) + len(tokenizer.eos_token)))
    spans = {"completion": spans, "last": spans[1:], "all": [(0, len(text))]}[score]
    text = text[: spans[-1][1]] if score != "all" else text.rstrip("\n")
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    oracle = [
        any(begin <= first and last <= end for begin, end in spans)
        for first, last in encoded.offset_mapping
    ]
    (row,) = renderer.chat_rows([talk], score, "s")
    assert row.input_ids == encoded.input_ids
    assert row.scored == oracle


@cases(["qwen3", "qwq", "r1"])
def test_real_templates_that_forget_thoughts_give_a_row_an_answer(renderer):
    rows = check_law(renderer, THOUGHTFUL)
    assert len(rows) == 2
    for row, answer in zip(rows, ("add\n</think>4", "add more\n</think>6"), strict=True):
        text = renderer.tokenizer.decode(row.input_ids)
        assert text.count("<think>") == 1
        # Qwen3's template writes an empty line after a thought.
        answered = said(renderer, row).removeprefix("<think>\n").replace("</think>\n\n", "</think>")
        assert answered == answer + renderer.tokenizer.eos_token


@cases(REAL)
def test_last_is_one_row_with_the_last_answer_on_real_templates(renderer):
    (row,) = renderer.chat_rows([THOUGHTFUL], "last", "s")
    assert "add more" in said(renderer, row)
    assert said(renderer, row).count(renderer.tokenizer.eos_token) == 1
    (row,) = renderer.chat_rows([THOUGHTFUL], "all", "s")
    assert all(row.scored)


@cases(["mini", "llama-3.2", "qwen2.5"])
def test_law_1_on_pairs_with_real_tokenizers(renderer):
    tokenizer = renderer.tokenizer
    bos = tokenizer.bos_token or ""

    @settings(max_examples=25)
    @given(pairs=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), begins=st.booleans())
    def law(pairs, begins):
        texts = [(bos * begins + prompt, completion) for prompt, completion in pairs]
        rows = renderer.pair_rows(
            [Pair(i, p, c, {}) for i, (p, c) in enumerate(texts)], "completion"
        )
        for row, (prompt, completion) in zip(rows, texts, strict=True):
            alone = renderer.prompt_ids([prompt])[0]
            length = row.prompt_lengths[0]
            assert row.input_ids[:length] == alone
            assert tokenizer.decode(row.input_ids[length:]) == completion + tokenizer.eos_token
            assert row.scored == [False] * length + [True] * (len(row.scored) - length)
            assert row.input_ids.count(tokenizer.bos_token_id) == (1 if bos else 0)

    law()
