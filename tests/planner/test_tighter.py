from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nybble.planner.plan import SMALL_BUFFER_BYTES, Plan
from nybble.planner.tighter import tightened_line, tighter_plan

LAYERS = 16
PLAN = Plan(
    device="cuda", device_name="test", compute_dtype="bfloat16", weight_bytes=0, bytes_per_token=0,
    micro_batch_tokens=16_384, recompute_layers=0, lean_layers=0, keep_weights=False, offload=False,
    host_vocabulary=False, buffer_bytes=2**28, reason="",
)  # fmt: skip


def all_after(plan: Plan, longest: int) -> list[Plan]:
    found = [plan]
    while (after := tighter_plan(found[-1], LAYERS, longest)) is not None:
        found.append(after)
        assert len(found) < 100
    return found


@given(
    st.integers(1, 4096), st.integers(0, 20_000), st.integers(0, LAYERS + 9), st.booleans(),
    st.sampled_from(["cuda", "cpu"]), st.sampled_from([0, 4]),
)  # fmt: skip
def test_plans_get_tighter_until_nothing_is_left(
    longest, more, recomputed, keep, device, attention
) -> None:
    begun = replace(
        PLAN, micro_batch_tokens=longest + more, recompute_layers=recomputed, keep_weights=keep,
        device=device, attention_layers=attention,
    )  # fmt: skip
    found = all_after(begun, longest)
    for before, after in pairwise(found):
        assert after.micro_batch_tokens <= before.micro_batch_tokens
        assert after.recompute_layers >= before.recompute_layers
        assert after.lean_layers + min(LAYERS, after.recompute_layers) <= LAYERS
        assert after != before
    last = found[-1]
    assert last.micro_batch_tokens == longest
    assert (last.recompute_layers, last.lean_layers) == (max(recomputed, LAYERS), 0)
    assert last.buffer_bytes == SMALL_BUFFER_BYTES
    assert not last.keep_weights
    assert last.offload == (device == "cuda")
    assert last.attention_layers == (begun.attention_layers if begun.offload else 0)


def test_large_packs_are_halved_before_layers_are_recomputed() -> None:
    tokens = [plan.micro_batch_tokens for plan in all_after(PLAN, 100) if not plan.recompute_layers]
    assert tokens == [16_384, 8_192, 4_096, 4_096, 2_048]


def test_a_plan_is_told_in_a_few_words() -> None:
    assert tightened_line(PLAN, LAYERS) == "16,384 tokens at once"
    tight = replace(PLAN, micro_batch_tokens=2048, recompute_layers=4, lean_layers=12, offload=True)
    assert tightened_line(tight, LAYERS) == (
        "2,048 tokens at once, 4 of 16 layers recomputed, 12 lean, their inputs on the host"
    )
