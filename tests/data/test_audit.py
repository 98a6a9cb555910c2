from dataclasses import replace

import pytest

from nybble.data.audit import audit_row, audit_rows, inference_prompts
from nybble.data.examples import Conversation, Pair
from nybble.data.render import Renderer

CHAT = Conversation(
    4,
    tuple(
        {"role": role, "content": content}
        for role, content in (("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    ),
    {},
)


@pytest.fixture(scope="module")
def renderer(character_tokenizer):
    return Renderer(character_tokenizer())


@pytest.fixture(scope="module")
def row(renderer):
    return renderer.chat_rows([CHAT], "completion", "s")[0]


def test_a_rendered_row_passes(renderer, row):
    audit_row(row, renderer)
    audit_rows([row], [CHAT], renderer)


def test_inference_prompts_are_those_before_each_answer(renderer, row):
    prompts = inference_prompts(CHAT, renderer)
    assert prompts == [row.input_ids[:length] for length in row.prompt_lengths]
    assert inference_prompts(Pair(1, "a", "b", {}), renderer) == renderer.prompt_ids(["a"])


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda r: replace(r, scored=r.scored[:-1]), "as many marks as ids"),
        (lambda r: replace(r, input_ids=[], scored=[]), "as many marks as ids"),
        (lambda r: replace(r, input_ids=[*r.input_ids[:-1], 99]), "a stop token at the end"),
        (lambda r: replace(r, scored=[*r.scored[:-1], False]), "the stop token is scored"),
        (lambda r: replace(r, input_ids=[1, 1, *r.input_ids[2:]]), "no second BOS"),
        (lambda r: replace(r, prompt_lengths=()), "a scored token after every prompt"),
        (lambda r: replace(r, prompt_lengths=(99,)), "a scored token after every prompt"),
        (lambda r: replace(r, prompt_lengths=(1,)), "a scored token after every prompt"),
    ],
)
def test_a_spoiled_row_fails_by_name(renderer, row, spoil, fault):
    with pytest.raises(AssertionError, match=f"row 4 fails the check: {fault}"):
        audit_row(spoil(row), renderer)


def test_a_row_that_begins_otherwise_than_its_inference_prompt_fails(renderer, row):
    other = replace(row, input_ids=[row.input_ids[0], 77, *row.input_ids[2:]])
    with pytest.raises(AssertionError, match="does not begin with its inference prompt"):
        audit_rows([other], [CHAT], renderer)
