"""What to try when memory runs out in the middle of a training: the next plan that takes less.

Packs are halved and layers recomputed in turn, what costs less time first, as the plan itself does.
None of it changes what is learnt (law 2).
"""

from dataclasses import replace

from nybble.planner.plan import SMALL_BUFFER_BYTES, WORTH_LEAN, WORTH_RECOMPUTING, Plan


def tighter_plan(plan: Plan, layers: int, longest: int) -> Plan | None:
    """`plan` with less memory, for a model of `layers` and rows of at most `longest` tokens.

    None where nothing is left to try.
    """
    halved = max(longest, plan.micro_batch_tokens // 2)
    shrinks = halved < plan.micro_batch_tokens
    open_layers = max(0, layers - plan.recompute_layers)
    if plan.keep_weights:
        return replace(plan, keep_weights=False)
    if shrinks and plan.micro_batch_tokens > WORTH_LEAN:
        return replace(plan, micro_batch_tokens=halved)
    if plan.lean_layers < open_layers:
        return replace(plan, lean_layers=open_layers)
    if shrinks and plan.micro_batch_tokens > WORTH_RECOMPUTING:
        return replace(plan, micro_batch_tokens=halved)
    if open_layers:
        recomputed = plan.recompute_layers + -(-open_layers // 2)
        return replace(plan, recompute_layers=recomputed, lean_layers=layers - recomputed)
    if plan.attention_layers and not plan.offload:
        return replace(plan, attention_layers=0)
    if shrinks:
        return replace(plan, micro_batch_tokens=halved)
    if plan.buffer_bytes > SMALL_BUFFER_BYTES:
        return replace(plan, buffer_bytes=SMALL_BUFFER_BYTES)
    if plan.device == "cuda" and not plan.offload:
        return replace(plan, offload=True)
    return None


def tightened_line(plan: Plan, layers: int) -> str:
    """How `plan` computes, in a few words."""
    parts = [f"{plan.micro_batch_tokens:,} tokens at once"]
    if plan.recompute_layers:
        parts.append(f"{plan.recompute_layers} of {layers} layers recomputed")
    if plan.lean_layers:
        parts.append(f"{plan.lean_layers} lean")
    if plan.offload:
        parts.append("their inputs on the host")
    return ", ".join(parts)
