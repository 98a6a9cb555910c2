import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.examples import Conversation, Pair
from nybble.data.render import Refused, Renderer
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
    (row,) = Renderer(tokenizer).chat_rows([chat], score, "s")
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
    rows = renderer.chat_rows([chat], score, "s")
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
    rows = Renderer(tokenizer).chat_rows([THOUGHTFUL], "completion", "s")
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
    talk = chat(("user", "?"), ("assistant", answer))
    (row,) = Renderer(tokenizer).chat_rows([talk], "completion", "s")
    scored = [i for i, is_scored in zip(row.input_ids, row.scored, strict=True) if is_scored]
    assert tokenizer.text(scored) == f"{said}<eos>"


def test_last_scores_the_last_answer_alone(character_tokenizer):
    tokenizer = character_tokenizer()
    talk = chat(("assistant", "one"), ("user", "?"), ("assistant", "two"), ("user", "bye"))
    (row,) = Renderer(tokenizer).chat_rows([talk], "last", "s")
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
        Renderer(character_tokenizer(None)).chat_rows([THOUGHTFUL], "completion", "s")


def test_what_a_template_refuses_is_told_with_the_row(character_tokenizer):
    talk = chat(("user", "a"), ("user", "b"), ("assistant", "c"))
    renderer = Renderer(character_tokenizer(NO_TWO_IN_A_ROW))
    (refused,) = renderer.chat_rows([talk], "completion", "s")
    assert refused == Refused(7, "is refused by the chat template: roles must alternate")
    with pytest.raises(InputError, match=r"^s: the chat template refuses it: roles must"):
        renderer.chat_prompt_ids(talk.messages[:2], "s")


def test_a_template_that_takes_no_empty_conversation_is_told(character_tokenizer, monkeypatch):
    def refuse(*_arguments, **_options):
        raise ValueError("Cannot apply chat template to an empty conversation")

    tokenizer = character_tokenizer()
    monkeypatch.setattr(tokenizer, "apply_chat_template", refuse)
    talk = Conversation(3, ({"role": "assistant", "content": "Hi"},), {})
    (refused,) = Renderer(tokenizer).chat_rows([talk], "completion", "rows")
    assert refused == Refused(3, "is refused by the chat template: the assistant speaks first")


@given(chats=st.lists(CHATS, max_size=4))
@pytest.mark.parametrize("template", [FORGETS_THOUGHTS, OPENS_THOUGHTS])
def test_conversations_at_once_are_those_one_by_one(character_tokenizer, chats, template):
    renderer = Renderer(character_tokenizer(template))
    one_by_one = [row for c in chats for row in renderer.chat_rows([c], "completion", "s")]
    assert renderer.chat_rows(chats, "completion", "s") == one_by_one


@given(chat=CHATS)
def test_assistant_is_another_word_for_completion(character_tokenizer, chat):
    renderer = Renderer(character_tokenizer())
    rows = renderer.chat_rows([chat], "assistant", "s")
    assert rows == renderer.chat_rows([chat], "completion", "s")
