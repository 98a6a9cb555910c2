import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.data.examples import Conversation, Pair
from nybble.data.render import Renderer
from nybble.data.tokenizer import load_tokenizer
from nybble.runs.errors import InputError

# Some template's habits: QwQ and Qwen3 drop the thoughts of earlier turns, R1 trims every answer.
FORGETS_THOUGHTS = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]"
    "{{ m.content if loop.last else m.content.split('</think>')[-1] }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
OPENS_THOUGHTS = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]"
    "{{ m.content.split('</think>')[-1] }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]<think>\n{% endif %}"
)
NO_TWO_IN_A_ROW = (
    "{% for m in messages %}{% if not loop.first and m.role == messages[loop.index0 - 1].role %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.content }}{% endfor %}"
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<"), max_size=12)
TURNS = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXT), max_size=5)


def chat(*turns) -> Conversation:
    return Conversation(7, tuple({"role": r, "content": c} for r, c in turns), {})


CHATS = TURNS.flatmap(
    lambda turns: TEXT.map(lambda answer: chat(*turns, ("user", "?"), ("assistant", answer)))
)
THOUGHTFUL = chat(
    ("user", "2+2?"),
    ("assistant", "<think>\nadd\n</think>4"),
    ("user", "3+3?"),
    ("assistant", "<think>\nadd more\n</think>6"),
)


def by_hand(tokenizer, conversation: Conversation, score: str):
    """Ids of the plain template's text and which are scored, character by character."""
    answers = [i for i, m in enumerate(conversation.messages) if m["role"] == "assistant"]
    wanted = answers[-1:] if score == "last" else answers
    ids, scored = [tokenizer.bos_token_id], [score == "all"]
    for i, message in enumerate(conversation.messages[: answers[-1] + 1]):
        head = tokenizer.ids(f"[{message['role']}]")
        body = [*tokenizer.ids(message["content"]), tokenizer.eos_token_id]
        ids += head + body
        scored += [score == "all"] * len(head) + [score == "all" or i in wanted] * len(body)
    return ids, scored


@given(chat=CHATS, score=st.sampled_from(["completion", "last", "all"]))
def test_what_is_scored_is_what_a_person_would_mark(character_tokenizer, chat, score):
    tokenizer = character_tokenizer()
    (row,) = Renderer(tokenizer).chat_rows(chat, score, "s")
    assert (row.input_ids, row.scored) == by_hand(tokenizer, chat, score)
    assert row.number == chat.number


@given(chat=CHATS, score=st.sampled_from(["completion", "last", "all"]))
@pytest.mark.parametrize("template", [None, FORGETS_THOUGHTS, OPENS_THOUGHTS])
def test_inference_prompts_are_the_beginning_of_training_rows(
    character_tokenizer, chat, score, template
):
    tokenizer = character_tokenizer(template) if template else character_tokenizer()
    renderer = Renderer(tokenizer)
    places = [i for i, m in enumerate(chat.messages) if m["role"] == "assistant"]
    prompts = [renderer.chat_prompt_ids(chat.messages[:place], "s") for place in places]
    rows = renderer.chat_rows(chat, score, "s")
    found = [row.input_ids[:length] for row in rows for length in row.prompt_lengths]
    assert found == (prompts if len(found) == len(prompts) else prompts[-1:])
    if score == "completion":
        assert len(found) == len(prompts)
    for row in rows:
        assert row.input_ids[-1] == tokenizer.eos_token_id
        assert row.scored[-1]
        assert row.input_ids[:2].count(tokenizer.bos_token_id) == 1


@pytest.mark.parametrize("template", [FORGETS_THOUGHTS, OPENS_THOUGHTS])
def test_where_a_template_breaks_the_law_every_answer_is_a_row(character_tokenizer, template):
    tokenizer = character_tokenizer(template)
    rows = Renderer(tokenizer).chat_rows(THOUGHTFUL, "completion", "s")
    texts = [tokenizer.text(row.input_ids) for row in rows]
    assert texts == [
        "<bos>[user]2+2?<eos>[assistant]<think>\nadd\n</think>4<eos>",
        "<bos>[user]2+2?<eos>[assistant]4<eos>[user]3+3?<eos>"
        "[assistant]<think>\nadd more\n</think>6<eos>",
    ]
    assert all(row.number == 7 for row in rows)
    for row in rows:
        (length,) = row.prompt_lengths
        assert row.scored == [False] * length + [True] * (len(row.scored) - length)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("<think>\na</think>b", "a</think>b"),
        ("<think>a</think>b", "a</think>b"),
        ("<think>\n\na</think>b", "\na</think>b"),
        ("b", "b"),
        ("\nb", "\nb"),
        ("> a quotation", "> a quotation"),
        ("think>", "think>"),
    ],
)
def test_a_thought_that_the_prompt_opens_is_not_opened_again(character_tokenizer, answer, said):
    tokenizer = character_tokenizer(OPENS_THOUGHTS)
    (row,) = Renderer(tokenizer).chat_rows(
        chat(("user", "?"), ("assistant", answer)), "completion", "s"
    )
    scored = [i for i, is_scored in zip(row.input_ids, row.scored, strict=True) if is_scored]
    assert tokenizer.text(scored) == f"{said}<eos>"


def test_last_scores_the_last_answer_alone(character_tokenizer):
    tokenizer = character_tokenizer()
    talk = chat(("assistant", "one"), ("user", "?"), ("assistant", "two"), ("user", "bye"))
    (row,) = Renderer(tokenizer).chat_rows(talk, "last", "s")
    scored = [i for i, is_scored in zip(row.input_ids, row.scored, strict=True) if is_scored]
    assert tokenizer.text(scored) == "two<eos>"
    assert "bye" not in tokenizer.text(row.input_ids)


@given(prompt=TEXT, completion=TEXT, score=st.sampled_from(["completion", "last", "all"]))
def test_a_pair_is_its_prompt_its_completion_and_the_stop(
    character_tokenizer, prompt, completion, score
):
    tokenizer = character_tokenizer()
    renderer = Renderer(tokenizer)
    (row,) = renderer.pair_rows([Pair(3, prompt, completion, {})], score)
    assert tokenizer.text(row.input_ids) == f"<bos>{prompt}{completion}<eos>"
    assert row.input_ids[: row.prompt_lengths[0]] == renderer.prompt_ids([prompt])[0]
    answer = len(completion) + 1
    first = [score == "all"] * (len(row.input_ids) - answer)
    assert row.scored == first + [True] * answer


@pytest.mark.parametrize("prompt", ["<bos>Hi", "<bos><bos>Hi", "<bos><bos><bos>Hi"])
@pytest.mark.parametrize("adds", [[], [1]])
def test_there_is_one_bos_however_many_the_text_begins_with(character_tokenizer, prompt, adds):
    tokenizer = character_tokenizer(adds=adds)
    assert tokenizer.text(Renderer(tokenizer).prompt_ids([prompt])[0]) == "<bos>Hi"


def test_a_tokenizer_without_bos_gets_none(character_tokenizer):
    tokenizer = character_tokenizer(adds=[])
    tokenizer.bos_token_id = None
    assert tokenizer.text(Renderer(tokenizer).prompt_ids(["Hi"])[0]) == "Hi"


def test_an_end_of_text_that_the_tokenizer_adds_to_a_prompt_is_left_out(character_tokenizer):
    class AddsBoth(character_tokenizer):
        def __call__(self, texts, add_special_tokens=True):
            encoded = super().__call__(texts, add_special_tokens)
            if add_special_tokens:
                encoded.input_ids = [[*ids, self.eos_token_id] for ids in encoded.input_ids]
            return encoded

    tokenizer = AddsBoth()
    (row,) = Renderer(tokenizer).pair_rows([Pair(1, "Hi", "!", {})], "completion")
    assert tokenizer.text(row.input_ids) == "<bos>Hi!<eos>"


def test_no_pairs_and_no_prompts_are_no_rows(character_tokenizer):
    renderer = Renderer(character_tokenizer())
    assert renderer.prompt_ids([]) == []
    assert renderer.pair_rows([], "completion") == []


def test_a_tokenizer_without_a_stop_token_is_refused(character_tokenizer):
    tokenizer = character_tokenizer()
    tokenizer.eos_token_id = None
    with pytest.raises(InputError, match="no end-of-text token"):
        Renderer(tokenizer)


def test_a_conversation_needs_a_chat_template(character_tokenizer):
    with pytest.raises(InputError, match=r"^s: row 7 is a conversation, but the model has no chat"):
        Renderer(character_tokenizer(None)).chat_rows(THOUGHTFUL, "completion", "s")


def test_what_a_template_refuses_is_told_with_the_row(character_tokenizer):
    talk = chat(("user", "a"), ("user", "b"), ("assistant", "c"))
    with pytest.raises(InputError, match=r"^s: row 7: the chat template refuses it: roles must"):
        Renderer(character_tokenizer(NO_TWO_IN_A_ROW)).chat_rows(talk, "completion", "s")


# The same laws with real tokenizers and the templates of real models.

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
    rows = renderer.chat_rows(talk, "completion", "s")
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


@pytest.mark.slow
@cases(REAL)
def test_law_1_on_real_templates(renderer):
    @settings(max_examples=25)
    @given(PLAIN_TALK)
    def law(talk):
        check_law(renderer, talk)

    law()


@pytest.mark.slow
@cases(REAL)
def test_law_1_on_conversations_with_thoughts(renderer):
    check_law(renderer, THOUGHTFUL)


@pytest.mark.slow
@cases(KEEP_THE_LAW)
def test_a_whole_row_is_what_the_library_renders_up_to_the_last_stop(renderer):
    @settings(max_examples=25)
    @given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3))
    def law(turns):
        texts = [(f"q{q}?", f"a{a}!") for q, a in turns]
        talk = chat(*(t for q, a in texts for t in (("user", q), ("assistant", a))))
        ids = renderer.tokenizer.apply_chat_template(list(talk.messages), return_dict=False)
        end = len(ids) - ids[::-1].index(renderer.stop_id)
        (row,) = renderer.chat_rows(talk, "completion", "s")
        assert row.input_ids == ids[:end]

    law()


@pytest.mark.slow
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
    (row,) = renderer.chat_rows(talk, score, "s")
    assert row.input_ids == encoded.input_ids
    assert row.scored == oracle


@pytest.mark.slow
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


@pytest.mark.slow
@cases(REAL)
def test_last_is_one_row_with_the_last_answer_on_real_templates(renderer):
    (row,) = renderer.chat_rows(THOUGHTFUL, "last", "s")
    assert "add more" in said(renderer, row)
    assert said(renderer, row).count(renderer.tokenizer.eos_token) == 1
    (row,) = renderer.chat_rows(THOUGHTFUL, "all", "s")
    assert all(row.scored)


@pytest.mark.slow
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


def test_a_template_that_writes_the_day_writes_the_day_it_is_told(shared):
    tokenizer = load_tokenizer(shared / "models" / "llama-3.2-3b")
    templates = shared / "chat_templates"
    dated = templates / "meta-llama-Llama-3.2-3B-Instruct.jinja"
    tokenizer.chat_template = dated.read_text()
    messages = [{"role": "user", "content": "Hi"}]
    ids = [
        Renderer(tokenizer, datetime.date(2026, 1, day)).chat_prompt_ids(messages, "row 1")
        for day in (2, 2, 3)
    ]
    assert ids[0] == ids[1] != ids[2]
    assert "Today Date: 02 Jan 2026" in tokenizer.decode(ids[0])
    fixed = templates / "meta-llama-Llama-3.1-8B-Instruct.jinja"
    tokenizer.chat_template = fixed.read_text()
    ids = Renderer(tokenizer, datetime.date(2026, 1, 2)).chat_prompt_ids(messages, "row 1")
    assert "Today Date: 26 Jul 2024" in tokenizer.decode(ids)  # as a server renders it


def test_a_template_that_takes_no_empty_conversation_is_told(character_tokenizer, monkeypatch):
    def refuse(*_arguments, **_options):
        raise ValueError("Cannot apply chat template to an empty conversation")

    tokenizer = character_tokenizer()
    monkeypatch.setattr(tokenizer, "apply_chat_template", refuse)
    chat = Conversation(3, ({"role": "assistant", "content": "Hi"},), {})
    with pytest.raises(InputError, match=r"rows: row 3: the chat template refuses it"):
        Renderer(tokenizer).chat_rows(chat, "completion", "rows")
