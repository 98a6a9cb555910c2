import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.generation import likelihood
from nybble.generation.likelihood import Likelihood, likeliest, log_likelihoods

pytestmark = pytest.mark.slow
IDS = st.lists(st.integers(2, 59), max_size=9)


def oracle(model, prompt: list[int], continuation: list[int]) -> tuple[float, int]:
    """The whole softmax of every position, for one row, in float64."""
    ids = [*prompt, *continuation]
    if len(ids) < 2 or not continuation:
        return 0.0, 0
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0].double()
    shares = logits.softmax(-1)
    scored = range(max(1, len(prompt)), len(ids))
    return sum(float(shares[i - 1, ids[i]].log()) for i in scored), len(scored)


@settings(max_examples=25)
@given(
    family=st.sampled_from(["llama", "qwen2", "qwen3", "mistral", "gpt2"]),
    pairs=st.lists(st.tuples(IDS, IDS), min_size=1, max_size=7),
    batch_tokens=st.sampled_from([1, 30, 500]),
    tile_bytes=st.sampled_from([1, 4 * 60 * 3, 2**28]),
)
def test_sums_are_those_of_the_whole_softmax_one_by_one(
    tiny, family, pairs, batch_tokens, tile_bytes
) -> None:
    model = tiny(family)
    prompts, continuations = [list(part) for part in zip(*pairs, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likelihood, "TILE_BYTES", tile_bytes)
        found = log_likelihoods(model, prompts, continuations, batch_tokens)
    for score, (prompt, continuation) in zip(found, pairs, strict=True):
        log_prob, tokens = oracle(model, prompt, continuation)
        assert score.tokens == tokens
        assert score.log_prob == pytest.approx(log_prob, abs=2e-4)


def test_adapters_change_the_sums(tiny) -> None:
    model = tiny("llama")
    (tuned,) = log_likelihoods(model, [[5, 6]], [[7, 8, 9]], 100)
    with model.disable_adapter():
        (base,) = log_likelihoods(model, [[5, 6]], [[7, 8, 9]], 100)
        assert base.log_prob == pytest.approx(oracle(model, [5, 6], [7, 8, 9])[0], abs=2e-4)
    assert abs(tuned.log_prob - base.log_prob) > 0.01


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_head_sees_scored_positions_alone_and_a_shared_prompt_once(
    tiny, family, monkeypatch
) -> None:
    model, seen = tiny(family), []
    head = model.get_base_model().lm_head
    handle = head.register_forward_hook(lambda _, inputs, out: seen.append(out.numel() // 60))
    try:
        labels = [[7], [8], [9], [10]]
        log_likelihoods(model, [[5] * 40] * 4, labels, 1000)
        assert seen == [4 if family == "llama" else 1]
        seen.clear()
        monkeypatch.setattr(likelihood, "TILE_BYTES", 4 * 60 * 5)
        log_likelihoods(model, [[5]], [[6] * 12], 1000)
        assert seen == ([5, 5, 2] if family == "llama" else [12])
    finally:
        handle.remove()


def test_one_of_several_labels_is_chosen_by_its_sum() -> None:
    short, long, unlikely = Likelihood(-2.0, 1), Likelihood(-3.0, 3), Likelihood(-9.0, 3)
    assert likeliest([unlikely, long, short]) == 2
    assert likeliest([short, short]) == 0
