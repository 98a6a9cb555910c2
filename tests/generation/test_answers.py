import pytest
import torch

from nybble.generation.greedy import generate_answers
from nybble.generation.median import exact_medians, number_token_ids, sampled_medians

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
    generate_answers(mini_model, stage.tokenizer, prompts, 12, 2048, put)
    alone, put = collected(len(prompts))
    generate_answers(mini_model, stage.tokenizer, prompts, 12, 1, put)
    assert batched == alone
    assert any(batched)


def test_greedy_answers_equal_an_argmax_loop(mini_model, stage, prompts) -> None:
    batched, put = collected(len(prompts))
    generate_answers(mini_model, stage.tokenizer, prompts, 6, 2048, put)
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

    def sample(seed: int) -> list[str]:
        found, put = collected(len(prompts))
        sampled_medians(mini_model, stage.tokenizer, prompts, 3, 4096, read, put, seed)
        return found

    assert sample(1) == sample(1)
    exact, put = collected(len(prompts))
    exact_medians(mini_model, prompts, number_token_ids(stage.tokenizer), 0, 4096, put)
    pairs = [(float(a), float(b)) for a, b in zip(sample(1), exact, strict=True) if a and b]
    assert len(pairs) >= 6
    ratios = sorted(a / b for a, b in pairs)
    assert 0.6 < ratios[len(ratios) // 2] < 1.6
