import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.planner.device import Device
from nybble.planner.plan import make_plan
from nybble.recipe import load_recipe

LLAMA_3B = {
    "vocab_size": 128256, "hidden_size": 3072, "intermediate_size": 8192,
    "num_hidden_layers": 28, "num_attention_heads": 24, "num_key_value_heads": 8,
    "head_dim": 128, "tie_word_embeddings": True,
}  # fmt: skip


def gpu(free_bytes: int) -> Device:
    return Device("cuda", "a card", (8, 6), free_bytes)


def test_weights_of_the_3b_are_what_they_take() -> None:
    plan = make_plan(load_recipe("price-demo"), LLAMA_3B, gpu(80_000_000_000), 128)
    # 2.82e9 linear weights at 4.127 bits and 128,256 x 3,072 in bf16: 2.2 GB together.
    assert plan.weight_bytes == pytest.approx(2.24e9, rel=0.01)


def test_activations_are_near_the_measured_90_kb_per_token_and_layer() -> None:
    plan = make_plan(load_recipe("price-demo"), LLAMA_3B, gpu(80_000_000_000), 128)
    logits = 128256 * 12
    assert (plan.bytes_per_token - logits) / 28 == pytest.approx(90_000, rel=0.05)


def test_layers_are_recomputed_only_where_the_longest_row_would_not_fit() -> None:
    recipe = load_recipe("price-demo")
    assert not make_plan(recipe, LLAMA_3B, gpu(40_000_000_000), 2048).recompute
    assert make_plan(recipe, LLAMA_3B, gpu(8_000_000_000), 2048).recompute


@given(free=st.integers(0, 10**11), longest=st.integers(1, 8192))
def test_the_longest_row_always_has_a_micro_batch(free: int, longest: int) -> None:
    assert (
        make_plan(load_recipe("price-demo"), LLAMA_3B, gpu(free), longest).micro_batch_tokens
        >= longest
    )


@given(free=st.integers(10**9, 10**11))
def test_more_memory_never_means_smaller_micro_batches(free: int) -> None:
    recipe = load_recipe("price-demo")
    small, large = (make_plan(recipe, LLAMA_3B, gpu(f), 16) for f in (free, 2 * free))
    assert large.recompute <= small.recompute
    if large.recompute == small.recompute:
        assert large.micro_batch_tokens >= small.micro_batch_tokens


def test_quantization_none_needs_the_weights_in_full() -> None:
    recipe = load_recipe("price-demo", ["model.quantization=none"])
    plan = make_plan(recipe, LLAMA_3B, gpu(80_000_000_000), 128)
    assert plan.weight_bytes == pytest.approx(2 * 3.2128e9, rel=0.001)
