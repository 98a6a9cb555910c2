"""Seconds per optimiser step of the demo on this CPU: fp32, bf16, and the plain PEFT step.

    python benchmarks/cpu_step.py [OUT.json]

The peer is what a script without Nybble does: the same 4-bit model, all rows padded together, the
logits of every position, labels of -100. Medians of steps taken in turn, so that a noisy neighbour
hits all of them alike.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from nybble.cli.main import quiet_libraries
from nybble.data.batches import StepLoader
from nybble.data.render import TokenRow
from nybble.engine.step import TrainStep
from nybble.model.device import current_device
from nybble.pipeline.stage import Stage, make_stage
from nybble.pipeline.train import load_model
from nybble.planner.plan import Plan
from nybble.recipe import load_recipe

ROUNDS = 15


def nybble_step(stage: Stage, plan: Plan) -> Callable[[int], None]:
    """One step of the demo's own loader through `TrainStep`."""
    step = TrainStep(load_model(stage, plan, None), plan)
    loader = StepLoader(stage.prepared.train, 32, 0, plan.micro_batch_tokens, 0)
    batches = list(loader.steps(0, ROUNDS + 2))

    def run(number: int) -> None:
        step(batches[number], number)
        step.model.zero_grad()

    return run


def plain_step(stage: Stage, plan: Plan) -> Callable[[int], None]:
    """The same rows in one padded batch through the model's own loss."""
    model = load_model(stage, plan, None)
    rows = stage.prepared.train

    def run(number: int) -> None:
        chosen = rows[number * 32 : (number + 1) * 32]
        ids, mask, labels = padded(chosen)
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        model.zero_grad()

    return run


def padded(rows: list[TokenRow]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, attention mask and labels [rows, longest]."""
    width = max(len(row.input_ids) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, row in enumerate(rows):
        length = len(row.input_ids)
        ids[i, :length] = torch.tensor(row.input_ids)
        mask[i, :length] = 1
        scored = torch.tensor(row.scored)
        labels[i, :length] = torch.where(scored, ids[i, :length], -100)
    return ids, mask, labels


def main() -> None:
    quiet_libraries()
    stage = make_stage(load_recipe("price-demo", ["data.limit=3000"]))
    plan = replace(stage.plan(current_device()), compute_dtype="float32")
    variants = {
        "Nybble, fp32": nybble_step(stage, plan),
        "Nybble, bf16": nybble_step(stage, replace(plan, compute_dtype="bfloat16")),
        "plain PEFT, fp32": plain_step(stage, plan),
    }
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(ROUNDS + 2):
        for name, run in variants.items():
            began = time.perf_counter()
            run(number)
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(found[2:]) for name, found in seconds.items()}
    table = Table("step of 32 rows", "ms", "against plain PEFT")
    for name, median in medians.items():
        ratio = medians["plain PEFT, fp32"] / median
        table.add_row(name, f"{1000 * median:.0f}", f"{ratio:.2f}x")
    Console().print(table)
    if len(sys.argv) > 1:
        record = {
            "date": time.strftime("%Y-%m-%d"),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "amx": torch.cpu._is_amx_tile_supported(),
            "step_ms": {name: round(1000 * median, 1) for name, median in medians.items()},
        }
        Path(sys.argv[1]).write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
