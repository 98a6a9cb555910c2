import copy
from types import SimpleNamespace

import pytest
import torch
from transformers import GenerationConfig

from nybble.generation.greedy import generate_answers, stop_ids
from nybble.generation.median import exact_medians, number_token_ids, sampled_medians
from nybble.generation.sampling import Sampling

pytestmark = pytest.mark.slow


@pytest.fixture
def prompts(stage) -> list[list[int]]:
    texts = [pair.prompt for pair in stage.prepared.splits.test[:12]]
    return stage.renderer.prompt_ids(texts)


def collected(count: int):
    answers = [""] * count

    def put(place: int, text: str) -> None:
        answers[place] = text

    return answers, put


def test_batched_greedy_answers_equal_those_one_by_one(mini_model, stage, prompts) -> None:
    batched, put = collected(len(prompts))
    generate_answers(mini_model, stage.tokenizer, prompts, Sampling(max_new_tokens=12), 2048, put)
    alone, put = collected(len(prompts))
    generate_answers(mini_model, stage.tokenizer, prompts, Sampling(max_new_tokens=12), 1, put)
    assert batched == alone
    assert any(batched)


def test_greedy_answers_equal_an_argmax_loop(mini_model, stage, prompts) -> None:
    batched, put = collected(len(prompts))
    generate_answers(mini_model, stage.tokenizer, prompts, Sampling(max_new_tokens=6), 2048, put)
    for prompt, answer in zip(prompts[:4], batched, strict=False):
        ids = list(prompt)
        for _ in range(6):
            with torch.no_grad():
                best = int(mini_model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
            if best == stage.tokenizer.eos_token_id:
                break
            ids.append(best)
        assert stage.tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True) == answer


def test_exact_medians_equal_a_brute_force(mini_model, stage, prompts) -> None:
    number_ids = number_token_ids(stage.tokenizer)
    assert number_ids is not None
    found, put = collected(len(prompts))
    exact_medians(mini_model, prompts, number_ids, 0, 100, put)
    for prompt, answer in zip(prompts, found, strict=True):
        with torch.no_grad():
            logits = mini_model(input_ids=torch.tensor([prompt])).logits[0, -1].double()
        shares = logits.softmax(-1)[number_ids].tolist()
        if sum(shares) < 0.5:
            assert answer == ""
            continue
        middle = next(n for n in range(1000) if sum(shares[: n + 1]) >= sum(shares) / 2)
        assert answer == str(middle)


def test_where_numbers_are_not_likely_the_answer_is_empty(mini_model, stage) -> None:
    prompt = stage.renderer.prompt_ids(["Write a function that adds up a"])
    found, put = collected(1)
    exact_medians(mini_model, prompt, number_token_ids(stage.tokenizer), 0, 100, put)
    assert found == [""]


def test_a_tokenizer_that_splits_numbers_has_no_single_tokens(shared) -> None:
    from transformers import AutoTokenizer

    qwen = AutoTokenizer.from_pretrained(shared / "models" / "qwen2.5-0.5b-instruct")
    assert number_token_ids(qwen) is None
    llama = AutoTokenizer.from_pretrained(shared / "models" / "llama-3.2-3b")
    ids = number_token_ids(llama)
    assert ids is not None and len(set(ids.tolist())) == 1000


def test_sampled_medians_come_near_the_exact_ones_and_follow_the_seed(
    mini_model, stage, prompts
) -> None:
    def read(text: str) -> float | None:
        first = text.split(" ")[0].split("\n")[0]
        return float(first) if first.isdigit() else None

    def sample(seed: int, stop: tuple[str, ...] = ()) -> list[str]:
        found, put = collected(len(prompts))
        tokenizer = stage.tokenizer
        sampled_medians(mini_model, tokenizer, prompts, 3, 4096, read, put, seed, stop=stop)
        return found

    assert sample(1) == sample(1)
    assert sample(1, tuple("0123456789")) == [""] * len(prompts)
    exact, put = collected(len(prompts))
    exact_medians(mini_model, prompts, number_token_ids(stage.tokenizer), 0, 4096, put)
    pairs = [(float(a), float(b)) for a, b in zip(sample(1), exact, strict=True) if a and b]
    assert len(pairs) >= 6
    ratios = sorted(a / b for a, b in pairs)
    assert 0.6 < ratios[len(ratios) // 2] < 1.6


def answered(model, stage, prompts, sampling, batch_tokens=2048, **more) -> list[str]:
    answers, put = collected(len(prompts))
    generate_answers(model, stage.tokenizer, prompts, sampling, batch_tokens, put, **more)
    return answers


def test_draws_follow_the_seed_and_not_the_batch(mini_model, stage, prompts) -> None:
    def draw(seed: int, batch_tokens: int = 2048) -> list[str]:
        sampling = Sampling(temperature=1.5, top_p=0.95, max_new_tokens=8, seed=seed)
        return answered(mini_model, stage, prompts, sampling, batch_tokens)

    assert draw(1) == draw(1) == draw(1, batch_tokens=1)
    assert draw(1) != draw(2)


def test_the_same_prompt_twice_is_answered_by_draws_of_its_own(mini_model, stage, prompts) -> None:
    sampling = Sampling(temperature=1.5, max_new_tokens=8)
    answers = answered(mini_model, stage, prompts[:1] * 8, sampling)
    assert len(set(answers)) > 1


def test_nothing_but_stop_tokens_comes_from_the_models_own_defaults(
    mini_model, stage, prompts
) -> None:
    sampling = Sampling(max_new_tokens=8)
    before = answered(mini_model, stage, prompts, sampling)
    inner = mini_model.get_base_model()
    own = GenerationConfig(do_sample=True, temperature=9.0, min_p=0.1, repetition_penalty=1.9,
                           no_repeat_ngram_size=1, suppress_tokens=[15, 16, 17, 18],
                           forced_eos_token_id=9, max_length=3, length_penalty=3.0,
                           eos_token_id=2)  # fmt: skip
    inner.generation_config = own
    assert answered(mini_model, stage, prompts, sampling) == before
    assert inner.generation_config is own
    first = stage.tokenizer(before[0], add_special_tokens=False).input_ids
    own.eos_token_id = [first[1]]
    stopped = answered(mini_model, stage, prompts[:1], sampling)
    assert stopped == [stage.tokenizer.decode(first[:1])]


def test_the_stop_token_is_held_off_for_min_new_tokens(mini_model, stage, prompts) -> None:
    ids = list(prompts[0])
    with torch.no_grad():
        first = int(mini_model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
    stops = [stage.tokenizer.eos_token_id, first]
    mini_model.get_base_model().generation_config.eos_token_id = [first]
    assert answered(mini_model, stage, prompts[:1], Sampling(max_new_tokens=5)) == [""]
    for _ in range(5):
        with torch.no_grad():
            logits = mini_model(input_ids=torch.tensor([ids])).logits[0, -1]
        logits[stops] = -torch.inf
        ids.append(int(logits.argmax()))
    sampling = Sampling(min_new_tokens=5, max_new_tokens=5)
    expected = stage.tokenizer.decode(ids[-5:], skip_special_tokens=True)
    assert answered(mini_model, stage, prompts[:1], sampling) == [expected] != [""]


def test_beams_are_those_of_transformers(mini_model, stage, prompts) -> None:
    found = answered(mini_model, stage, prompts[:4], Sampling(beams=3, max_new_tokens=6))
    greedy = answered(mini_model, stage, prompts[:4], Sampling(max_new_tokens=6))
    for prompt, answer in zip(prompts[:4], found, strict=True):
        out = mini_model.generate(
            input_ids=torch.tensor([prompt]), num_beams=3, do_sample=False, max_new_tokens=6
        )
        assert stage.tokenizer.decode(out[0, len(prompt) :], skip_special_tokens=True) == answer
    assert found != greedy


def test_a_repetition_penalty_counts_no_padding_even_where_it_is_the_stop_token(
    mini_model, stage, prompts
) -> None:
    tokenizer = copy.deepcopy(stage.tokenizer)
    tokenizer.pad_token = tokenizer.eos_token
    padless = SimpleNamespace(tokenizer=tokenizer)
    sampling = Sampling(repetition_penalty=1.8, max_new_tokens=6)
    found = answered(mini_model, padless, prompts, sampling)
    assert found == answered(mini_model, padless, prompts, sampling, batch_tokens=1)
    assert found != answered(mini_model, padless, prompts, Sampling(max_new_tokens=6))


def test_a_stop_string_ends_each_row_of_a_batch(mini_model, stage, prompts) -> None:
    plain = answered(mini_model, stage, prompts, Sampling(max_new_tokens=24))
    stop = plain[0][len(plain[0]) // 2 :][:3]
    found = answered(mini_model, stage, prompts, Sampling(max_new_tokens=24, stop=(stop,)))
    assert found == [text.split(stop)[0] for text in plain]
    assert found != plain


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 1.2}, {"stop": ("\n", "0 ")}, {"repetition_penalty": 1.3}]
)
def test_a_stream_gives_the_same_text(mini_model, stage, prompts, settings) -> None:
    sampling = Sampling(max_new_tokens=24, **settings)
    for prompt in prompts[:3]:
        pieces: list[str] = []
        streamed = answered(mini_model, stage, [prompt], sampling, on_text=pieces.append)
        assert "".join(pieces) == streamed[0] == answered(mini_model, stage, [prompt], sampling)[0]
        assert len(pieces) > 1 or len(streamed[0]) < 6


def test_an_answer_ends_where_the_chat_template_ends_its_turns(stage, mini_model, monkeypatch):
    """Gemma's and Phi's end of text is another token than the end of a turn."""
    other = stage.tokenizer.convert_ids_to_tokens(stage.tokenizer.pad_token_id)
    template = "{% for m in messages %}[{{ m.role }}]{{ m.content }}" + other + "{% endfor %}"
    monkeypatch.setattr(stage.tokenizer, "chat_template", template)
    monkeypatch.setattr(mini_model.generation_config, "eos_token_id", None)
    stops = [stage.tokenizer.eos_token_id, stage.tokenizer.pad_token_id]
    assert stop_ids(mini_model, stage.tokenizer) == stops
