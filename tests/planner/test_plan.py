import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.planner.device import Device
from nybble.planner.plan import Plan, make_plan
from nybble.recipe import load_recipe
from nybble.recipe.schema import Recipe

LLAMA_3B = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 3072, "intermediate_size": 8192,
    "num_hidden_layers": 28, "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128,
    "hidden_act": "silu", "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
}  # fmt: skip


def gpu(free_bytes: int) -> Device:
    return Device("cuda", "a card", (8, 6), free_bytes)


def recipe(*overrides: str) -> Recipe:
    return load_recipe("price-demo", list(overrides))


def test_weights_of_the_3b_are_what_they_take() -> None:
    plan = make_plan(recipe(), LLAMA_3B, gpu(80_000_000_000), 128)
    # 2.82e9 linear weights at 4.127 bits and 128,256 x 3,072 in bf16: 2.2 GB together.
    assert plan.weight_bytes == pytest.approx(2.24e9, rel=0.01)


@pytest.mark.parametrize(
    ("run", "recomputed", "lean", "tokens"), [("lean", 0, 28, 4096), ("full", 0, 0, 4096)]
)
def test_predicted_memory_is_near_what_was_measured_on_an_h200(
    run: str, recomputed: int, lean: int, tokens: int
) -> None:
    """Two rows of 2,048 through all seven linears, r=16: benchmarks/results/memory.json."""
    file = Path(__file__).parents[2] / "benchmarks" / "results" / "memory.json"
    measured = json.loads(file.read_text())["allocated_bytes"][run]
    asked = {"lean": "train.recompute=lean", "full": "train.recompute=none"}[run]
    plan = make_plan(recipe("lora.r=16", asked), LLAMA_3B, gpu(140_000_000_000), 2048)
    assert (plan.recompute_layers, plan.lean_layers) == (recomputed, lean)
    adapters = 24_313_856 * 16
    buffers = 1.5 * plan.buffer_bytes
    predicted = plan.weight_bytes + adapters + buffers + tokens * plan.bytes_per_token
    assert predicted == pytest.approx(measured, rel=0.03)


def test_layers_are_recomputed_only_where_the_longest_row_would_not_fit() -> None:
    assert make_plan(recipe(), LLAMA_3B, gpu(40_000_000_000), 2048).recompute_layers == 0
    assert make_plan(recipe(), LLAMA_3B, gpu(7_000_000_000), 2048).recompute_layers > 0


def test_what_is_asked_for_is_done() -> None:
    card = gpu(40_000_000_000)
    found = {
        asked: make_plan(recipe(f"train.recompute={asked}"), LLAMA_3B, card, 128)
        for asked in ("none", "lean", "all", "5")
    }
    layers = {asked: (p.recompute_layers, p.lean_layers) for asked, p in found.items()}
    assert layers == {"none": (0, 0), "lean": (0, 28), "all": (28, 0), "5": (5, 23)}
    assert make_plan(recipe("train.pack_tokens=512"), LLAMA_3B, card, 128).micro_batch_tokens == 512
    assert make_plan(recipe("train.offload=true"), LLAMA_3B, card, 128).offload
    assert not make_plan(recipe("train.offload=true"), LLAMA_3B, Device(
        "cpu", "a CPU", (0, 0), 10**10), 128).offload  # fmt: skip


def test_attention_is_kept_of_recomputed_layers_alone() -> None:
    card = gpu(40_000_000_000)

    def plan(*overrides: str) -> Plan:
        return make_plan(recipe("train.keep_attention=9", *overrides), LLAMA_3B, card, 128)

    none, few, here, away = (
        plan(f"train.recompute={asked}", *more)
        for asked, more in (("none", []), ("5", []), ("all", []), ("all", ["train.offload=true"]))
    )
    assert [p.attention_layers for p in (none, few, here, away)] == [0, 5, 9, 9]
    without = make_plan(recipe("train.recompute=all"), LLAMA_3B, card, 128)
    # Joined heads and attention's output, 2 x 3,072 + 2 x 1,024 wide, in bf16.
    assert here.bytes_per_token - without.bytes_per_token == 9 * 2 * 8192
    assert away.bytes_per_token < without.bytes_per_token
    qwen3 = {**LLAMA_3B, "model_type": "qwen3"}
    asked = recipe("train.keep_attention=9", "train.recompute=all")
    assert make_plan(asked, qwen3, card, 128).attention_layers == 0


def test_a_limit_on_memory_makes_the_plan_leaner() -> None:
    card = gpu(140_000_000_000)
    free, tight = (
        make_plan(recipe(*more), LLAMA_3B, card, 2048) for more in ([], ["train.memory_gb=13.2"])
    )
    assert (free.recompute_layers, free.lean_layers) == (0, 0)
    assert tight.recompute_layers == 0 and 0 < tight.lean_layers < 28


def test_another_family_is_planned_for_its_own_forward_with_logits() -> None:
    other = LLAMA_3B | {"model_type": "gemma2"}
    plan = make_plan(recipe(), other, gpu(140_000_000_000), 128)
    assert plan.lean_layers == 0
    assert (plan.bytes_per_token - 128256 * 12) / 28 == pytest.approx(90_000, rel=0.05)


@given(free=st.integers(0, 10**11), longest=st.integers(1, 8192))
def test_the_longest_row_always_has_a_micro_batch(free: int, longest: int) -> None:
    plan = make_plan(recipe(), LLAMA_3B, gpu(free), longest)
    assert plan.micro_batch_tokens >= longest


@given(free=st.integers(10**9, 10**11), more=st.floats(1, 4), longest=st.integers(1, 4096))
def test_more_memory_never_means_more_work(free: int, more: float, longest: int) -> None:
    small, large = (
        make_plan(recipe(), LLAMA_3B, gpu(f), longest) for f in (free, round(more * free))
    )
    assert large.recompute_layers <= small.recompute_layers


def test_quantization_none_needs_the_weights_in_full() -> None:
    plan = make_plan(recipe("model.quantization=none"), LLAMA_3B, gpu(80_000_000_000), 128)
    assert plan.weight_bytes == pytest.approx(2 * 3.2128e9, rel=0.001)


def test_weights_and_moments_are_counted_in_their_widths() -> None:
    def weights(kind: str) -> int:
        asked = recipe(f"model.quantization={kind}")
        return make_plan(asked, LLAMA_3B, gpu(80_000_000_000), 128).weight_bytes

    linears = 28 * (2 * 3072 * 3072 + 2 * 3072 * 1024 + 3 * 3072 * 8192)
    assert weights("fp4") == weights("nf4") < weights("int8") < weights("none")
    assert weights("none") - weights("int8") == linears


def test_smaller_moments_and_less_that_is_trained_leave_room_for_more_tokens() -> None:
    def tokens(*overrides: str) -> int:
        asked = recipe("lora.r=1024", "train.recompute=all", "train.pack_tokens=60000", *overrides)
        return make_plan(asked, LLAMA_3B, gpu(42_000_000_000), 128).micro_batch_tokens

    assert tokens("train.optim=adamw_8bit") > tokens()
    assert tokens("lora.modules_to_save=[embed_tokens]") < tokens()
