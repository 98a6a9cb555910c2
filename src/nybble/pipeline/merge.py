"""Merging a run's adapter into its base, and asking both the same held-out prompts."""

import gc
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nybble.data.tokenizer import load_tokenizer
from nybble.pipeline.questions import Ids, prompts
from nybble.pipeline.stage import Stage, make_stage
from nybble.planner.plan import Plan
from nybble.recipe.schema import Recipe
from nybble.runs.atomic import new_folder, write_json
from nybble.runs.errors import InputError, NybbleError
from nybble.runs.folder import RunFolder, check_new
from nybble.runs.lock import locked

PROMPTS = 200


@dataclass(frozen=True)
class HeldOut:
    """Prompts as ids, and how many of them are from which part of the data."""

    prompts: list[Ids]
    parts: dict[str, int]


def held_out(stage: Stage, most: int) -> HeldOut:
    """At most `most` prompts: of validation rows, then of test rows; of training rows if none."""
    validation = [row.input_ids[: row.prompt_lengths[-1]] for row in stage.prepared.validation]
    test = prompts(stage.prepared.splits.test[:most], stage.renderer, ())
    found = {"validation": validation, "test": test}
    if not validation and not test:
        train = [row.input_ids[: row.prompt_lengths[-1]] for row in stage.prepared.train]
        found = {"train": train}
    chosen = [(part, ids) for part, rows in found.items() for ids in rows][:most]
    parts = {part: sum(part == name for name, _ in chosen) for part in found}
    return HeldOut([ids for _, ids in chosen], {part: n for part, n in parts.items() if n})


def merge_run(
    folder: RunFolder, recipe: Recipe, output: Path, dtype: str, most: int = PROMPTS
) -> dict[str, Any]:
    """Write the merged model of a run into `output`, with merge.json, when it proves faithful.

    Gives what merge.json holds. Raises `NybbleError`, and leaves nothing, when the merged model
    differs from the adapter by more than rounding to `dtype` explains.
    """
    check_new(output)
    if recipe.lora is None:
        raise InputError(
            f"{folder.path} was trained whole: there is no adapter to merge.",
            f"{folder.model} is the model, in transformers' format.",
        )
    if not folder.adapter.exists():
        raise InputError(f"{folder.path} is not trained yet.", "Finish it with `nybble resume`.")
    stage = make_stage(recipe)
    asked = held_out(stage, most)
    from nybble.pipeline.work import plan_here

    here = plan_here(stage)
    # A CPU computes in fp32, which holds 16-bit weights exactly; a GPU in what is written.
    compute = "float32" if here.device == "cpu" else dtype
    plan = replace(here, compute_dtype=compute, recompute_layers=0)
    # Locked, so that no other process sweeps away what is being written.
    with locked(folder.path), new_folder(output) as scratch:
        report = _merge_and_verify(stage, plan, folder, scratch, dtype, asked)
        if not report["faithful"]:
            raise _unfaithful(report)
        write_json(scratch / "merge.json", report)
    return report


def _merge_and_verify(
    stage: Stage, plan: Plan, folder: RunFolder, scratch: Path, dtype: str, asked: HeldOut
) -> dict[str, Any]:
    """Write the merged model into `scratch`; gives what merge.json is to hold."""
    import torch

    from nybble.export import verify_merge as verify

    remote_code = stage.recipe.model.trust_remote_code
    asking = verify.Asking(
        asked.prompts, stage.recipe.evaluate.max_new_tokens, plan.micro_batch_tokens
    )
    stored, compute = getattr(torch, dtype), getattr(torch, plan.compute_dtype)
    merged, adapter, base_logits = _merge(stage, plan, folder, scratch, stored, asking)
    gc.collect()  # the quantised model holds itself in circles
    loaded_bytes = merged.weight_bytes // stored.itemsize * compute.itemsize
    device = _device_for(loaded_bytes, plan.device)
    plain = verify.load_merged(scratch, device, compute, remote_code)
    said = verify.say(plain, load_tokenizer(scratch, remote_code), asking, compute)
    verify.move_last_place(plain, [*merged.with_adapter, *merged.dequantised], stored)
    control = verify.next_token_logits(plain, stage.tokenizer, asking)
    return {
        "base": stage.recipe.model.base,
        "dtype": dtype,
        "weights_with_adapter": len(merged.with_adapter),
        "weights_dequantised": len(merged.dequantised),
        "weight_bytes": merged.weight_bytes,
        "files": merged.files,
        "compared_in": plan.compute_dtype,
        "compared_on": device,
        "prompts": asked.parts,
        "max_new_tokens": asking.max_new_tokens,
        **verify.agreement(adapter, base_logits, said, control).as_json(),
    }


def _merge(
    stage: Stage, plan: Plan, folder: RunFolder, scratch: Path, stored: Any, asking: Any
) -> tuple[Any, Any, Any]:
    """What was written into `scratch`, what the adapter says, the base's logits without it."""
    import torch

    from nybble.export import verify_merge as verify
    from nybble.export.inference_files import write_inference_files
    from nybble.export.merge import merge
    from nybble.generation.greedy import stop_ids
    from nybble.pipeline.train import load_model

    model = load_model(stage, plan, folder.adapter)
    remote_code = stage.recipe.model.trust_remote_code
    merged = merge(model, stage.model_folder, scratch, stored, remote_code)
    stops = stop_ids(model, stage.tokenizer)
    write_inference_files(stage.tokenizer, stops, stage.model_folder, scratch)
    compute = getattr(torch, plan.compute_dtype)
    adapter = verify.say(model, stage.tokenizer, asking, compute)
    with (
        model.disable_adapter(),
        torch.autocast(plan.device, compute, enabled=compute != torch.float32),
    ):
        base_logits = verify.next_token_logits(model, stage.tokenizer, asking)
    return merged, adapter, base_logits


def _device_for(weight_bytes: int, device: str) -> str:
    """`device` where the merged model fits in what is free there, else the CPU."""
    import torch

    if device == "cpu":
        return device
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    return device if weight_bytes < 0.8 * free else "cpu"


def merge_lines(report: dict[str, Any]) -> list[str]:
    """The report as it is printed."""
    kl = report["kl_nats"]
    parts = " and ".join(f"{n} {part}" for part, n in report["prompts"].items())
    lost = report["share_lost"]
    kept = "" if lost is None else f"; {lost:.2%} of what the adapter changes is lost"
    return [
        f"merged     {report['weights_with_adapter']} weights with adapter, "
        f"{report['weights_dequantised']} more dequantised, {report['dtype']}, "
        f"{report['weight_bytes']:,} bytes",
        f"compared   {report['n']} prompts ({parts} rows), adapter on its base against merged "
        f"model, in {report['compared_in']} on {report['compared_on']}",
        f"texts      {report['texts_equal']} of {report['n']} greedy texts equal",
        f"logits     largest difference {report['max_logit_difference']:.3g}; root mean square "
        f"{report['times_rounding']:.2f} times what rounding makes{kept}",
        f"KL         {kl['value']:.3g} nats on average (95% interval {kl['low']:.3g} to "
        f"{kl['high']:.3g}, n = {report['n']}), at most {report['max_kl_nats']:.3g}",
    ]


def _unfaithful(report: dict[str, Any]) -> NybbleError:
    if not report["same_stops_and_template"]:
        return NybbleError(
            "The merged model stops at other tokens, or has another chat template, than the run.",
            "Nothing was written. Use the adapter with its base, and report this with the recipe.",
        )
    return NybbleError(
        f"The merged model is not the adapter on its base: on {report['n']} prompts its logits "
        f"differ by {report['times_rounding']:.1f} times what rounding to {report['dtype']} makes "
        f"(at most {report['most_times_rounding']:.0f}), and {report['texts_equal']} texts agree.",
        "Nothing was written. Use the adapter with its base, and report this with the recipe.",
    )
