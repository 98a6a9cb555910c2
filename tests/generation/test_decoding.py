import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig

from nybble.generation import greedy, next_step, prefill
from nybble.generation.choice import uniforms
from nybble.generation.decoding import decode
from nybble.generation.ending import Ending
from nybble.generation.sampling import Sampling

pytestmark = pytest.mark.slow
FAMILIES = ["llama", "qwen2", "qwen3", "mistral"]
PROMPTS = st.lists(st.lists(st.integers(2, 59), min_size=1, max_size=14), min_size=1, max_size=6)


def alone(model, prompt: list[int], new: int, stops: list[int]) -> list[int]:
    """What transformers' own `generate` says to one prompt, as a user would call it."""
    config = GenerationConfig(max_new_tokens=new, eos_token_id=stops, pad_token_id=0)
    with torch.no_grad():
        ids = model.generate(torch.tensor([prompt]), generation_config=config)
    return ids[0, len(prompt) :].tolist()


def answered(model, tokenizer, prompts, sampling, batch_tokens=500, each=1) -> list[list[str]]:
    texts: list[list[str]] = [[] for _ in prompts]

    def keep(place: int, text: str) -> None:
        texts[place].append(text)

    greedy.generate_answers(model, tokenizer, prompts, sampling, batch_tokens, keep, each)
    return texts


@settings(max_examples=25)
@given(
    family=st.sampled_from(FAMILIES),
    prompts=PROMPTS,
    new=st.integers(1, 9),
    batch_tokens=st.sampled_from([1, 40, 500]),
    which=st.tuples(st.integers(0, 5), st.integers(0, 8)),
    adapted=st.booleans(),
)
def test_answers_are_those_of_generate_one_by_one(
    tiny, numbers, family, prompts, new, batch_tokens, which, adapted
) -> None:
    """Stop tokens are taken from the answers, so that rows end early, the first token included."""
    model = tiny(family)
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        if not adapted:
            patch.setattr(model, "forward", without_adapter(model, model.forward))
            patch.setattr(model, "generate", without_adapter(model, model.generate))
        plain = [alone(model, prompt, new, []) for prompt in prompts]
        said = plain[which[0] % len(plain)]
        stop = said[which[1] % len(said)]
        patch.setattr(model.generation_config, "eos_token_id", stop)
        expected = [alone(model, prompt, new, [stop, numbers.eos_token_id]) for prompt in prompts]
        found = answered(model, numbers, prompts, Sampling(max_new_tokens=new), batch_tokens)
    ended = {stop, numbers.eos_token_id}
    wanted = [[numbers.decode([t for t in ids if t not in ended])] for ids in expected]
    assert found == wanted


def without_adapter(model, call):
    def inner(*arguments, **named):
        with model.disable_adapter():
            return call(*arguments, **named)

    return inner


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_change_what_tiny_models_say(tiny, family) -> None:
    model = tiny(family)
    with_them = alone(model, [5, 6, 7], 8, [])
    with model.disable_adapter():
        assert alone(model, [5, 6, 7], 8, []) != with_them


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("penalty", [1.0, 1.4])
def test_several_draws_of_each_prompt_are_those_one_at_a_time(
    tiny, numbers, family, penalty
) -> None:
    prompts = [[9, 8, 7, 9, 8, 7, 6], [4], [11, 12, 13], [30, 31, 32, 33, 34, 35, 36, 37, 38]]
    sampling = Sampling(temperature=1.2, max_new_tokens=7, repetition_penalty=penalty)
    ending = Ending(numbers, frozenset([1, 12, 13, 14, 15]))
    many = decode(tiny(family), prompts, 3, sampling, uniforms(sampling, range(4), 3), ending)
    for place, prompt in enumerate(prompts):
        draws = uniforms(sampling, [place], 3)
        for answer in range(3):
            one = decode(tiny(family), [prompt], 1, sampling, draws[answer : answer + 1], ending)
            assert one == [many[3 * place + answer]]
    assert len({tuple(ids) for ids in many}) > 6
    assert any(len(ids) < 7 for ids in many)


@pytest.fixture
def shapes(monkeypatch) -> list[tuple[int, int]]:
    """Rows and tokens of each forward."""
    seen: list[tuple[int, int]] = []
    forward = prefill.forward

    def watched(model, ids, *more):
        seen.append(tuple(ids.shape))
        return forward(model, ids, *more)

    for module in (prefill, next_step):
        monkeypatch.setattr(module, "forward", watched)
    return seen


def test_rows_that_are_done_leave_once_they_are_half(tiny, numbers, shapes) -> None:
    model, prompts = tiny("llama"), [[n, n + 1] for n in range(2, 10)]
    said = [alone(model, prompt, 6, []) for prompt in prompts]
    stops = frozenset(ids[1] for ids in said[:5])
    with torch.no_grad():
        decode(model, prompts, 1, Sampling(max_new_tokens=6), None, Ending(numbers, stops))
    sizes = [rows for rows, _ in shapes]
    alive = [sum(not stops & set(ids[:n]) for ids in said) for n in range(6)]
    assert sizes[0] == 8 and sizes[2] <= 2 * alive[2] <= 6
    pairs = zip(sizes[1:], alive[1:], strict=False)
    assert all(size < 2 * left or left == 0 for size, left in pairs)


def test_a_prompt_is_computed_once_for_all_its_answers(tiny, numbers, shapes) -> None:
    sampling = Sampling(temperature=1.0, max_new_tokens=2)
    found = answered(tiny("llama"), numbers, [[5] * 9, [6] * 4], sampling, each=5)
    assert [len(texts) for texts in found] == [5, 5]
    assert shapes == [(2, 9), (10, 1)]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_all_prompts_begin_with_is_computed_once(
    tiny, numbers, shapes, monkeypatch, family
) -> None:
    """But not where a window would count the padding behind it."""
    shots = [7, 8, 9, 10, 11, 12]
    prompts = [[*shots, n, *range(20, 20 + n)] for n in range(2, 7)] + [[*shots, 2], shots]
    settings = [Sampling(max_new_tokens=4),
                Sampling(max_new_tokens=4, temperature=0.8, repetition_penalty=1.5)]  # fmt: skip
    for sampling in settings:
        monkeypatch.setattr(prefill, "WORTH_SHARING", 5 * 6 + 1)
        whole = answered(tiny(family), numbers, prompts, sampling)
        monkeypatch.setattr(prefill, "WORTH_SHARING", 5 * 6)
        shapes.clear()
        assert answered(tiny(family), numbers, prompts, sampling) == whole
        assert shapes[:2] == ([(1, 5), (7, 8)] if family != "mistral" else [(7, 13), (7, 1)])


@given(prompts=PROMPTS, shared=st.lists(st.integers(2, 59), max_size=20))
def test_what_is_shared_is_the_longest_that_leaves_a_token_to_each(tiny, prompts, shared) -> None:
    prompts = [shared + prompt for prompt in prompts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefill, "WORTH_SHARING", 0)
        count = prefill._shared(tiny("llama"), prompts)
    same = [len({prompt[i] for prompt in prompts}) == 1 for i in range(min(map(len, prompts)) - 1)]
    assert count == (same.index(False) if False in same else len(same))


@pytest.mark.parametrize("family", [*FAMILIES, "gpt2"])
def test_next_logits_are_those_of_a_forward_alone(tiny, family) -> None:
    model, prompts = tiny(family), [[5] * 9, [6, 7], [8], [5] * 8 + [9]]
    with torch.no_grad():
        found = prefill.next_logits(model, prompts, 0)
        for row, prompt in zip(found, prompts, strict=True):
            alone = model(input_ids=torch.tensor([prompt])).logits[0, -1]
            torch.testing.assert_close(row, alone, atol=1e-4, rtol=1e-4)


def test_a_batch_without_room_is_halved_and_says_the_same(tiny, numbers, monkeypatch) -> None:
    prompts = [[n, 5, n] for n in range(2, 13)]
    sampling = Sampling(temperature=0.9, max_new_tokens=4)
    expected = answered(tiny("qwen3"), numbers, prompts, sampling, each=2)
    forward = prefill.forward

    def cramped(model, ids, *more):
        if len(ids) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(model, ids, *more)

    for module in (prefill, next_step):
        monkeypatch.setattr(module, "forward", cramped)
    assert answered(tiny("qwen3"), numbers, prompts, sampling, each=2) == expected


def test_other_families_are_generated_by_transformers(tiny, numbers) -> None:
    """Batched as before: its positions are learnt, and no loop of ours knows them."""
    model = tiny("gpt2")
    assert not prefill.knows(model)
    prompts = [[5, 6, 7], [9], [11, 12, 13, 14, 15]]
    found = answered(model, numbers, prompts, Sampling(max_new_tokens=5))
    expected = [alone(model, prompt, 5, [1]) for prompt in prompts]
    assert found == [[numbers.decode([t for t in ids if t != 1])] for ids in expected]


def test_a_tokenizer_without_any_stop_token_goes_on_to_the_end(tiny, numbers, monkeypatch) -> None:
    monkeypatch.setattr(type(numbers), "eos_token_id", None)
    for family in ("llama", "gpt2"):
        model = tiny(family)
        sampling = Sampling(min_new_tokens=2, max_new_tokens=5)
        found = answered(model, numbers, [[5, 6], [7]], sampling)
        expected = [alone(model, prompt, 5, []) for prompt in ([5, 6], [7])]
        assert found == [[numbers.decode(ids)] for ids in expected]


@settings(max_examples=15)
@given(prompts=PROMPTS, cut=st.integers(1, 12), length=st.integers(1, 5), place=st.integers(0, 5))
def test_a_stop_string_across_tokens_ends_its_row_alone(
    tiny, numbers, prompts, cut, length, place
) -> None:
    sampling = Sampling(max_new_tokens=8)
    plain = [texts[0] for texts in answered(tiny("mistral"), numbers, prompts, sampling)]
    text = plain[place % len(plain)]
    stop = text[cut : cut + length] or text[-1]
    if not stop:
        return
    found = answered(tiny("mistral"), numbers, prompts, Sampling(max_new_tokens=8, stop=(stop,)))
    assert [texts[0] for texts in found] == [text.split(stop)[0] for text in plain]


def test_a_long_prompt_alone_needs_no_mask_of_its_square(tiny, numbers, monkeypatch) -> None:
    """A mask of 32,768 x 32,768 would be a gigabyte."""
    seen = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def watched(*arguments, attn_mask=None, **named):
        seen.append(None if attn_mask is None else attn_mask.numel())
        return attend(*arguments, attn_mask=attn_mask, **named)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    answered(tiny("qwen2"), numbers, [[5] * 40], Sampling(min_new_tokens=2, max_new_tokens=2))
    assert seen == [None, None, 42, 42]
