"""Tokens per second of the demo on this CPU in fp32: Nybble's step, and TRL's.

    python benchmarks/cpu_step.py [OUT.json]

Both train the bundled model, in NF4 with fp32 adapters, on the same steps of 32 rows, with forward,
backward, clipping and AdamW; TRL without recomputation, its faster way. They take turns of a few
steps, so that a noisy neighbour hits both alike; the figure is the median of all. TRL runs in an
environment of its own (`make peers`).
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from nybble.cli.main import quiet_libraries
from nybble.data.batches import StepLoader
from nybble.data.packing import Layout
from nybble.data.render import TokenRow
from nybble.engine.step import TrainStep
from nybble.model.device import current_device
from nybble.pipeline.stage import Stage, make_stage
from nybble.pipeline.train import load_model
from nybble.recipe import load_recipe
from nybble.training.optimizer import make_optimizer

ROUNDS, STEPS_A_ROUND, WARM = 6, 5, 1
ROWS = 32
PEER = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"


class Nybble:
    """The demo's own loader through `TrainStep`, with the optimiser's part of a step."""

    def __init__(self, stage: Stage) -> None:
        plan = stage.plan(current_device())
        assert plan.compute_dtype == "float32", "compared in fp32"
        model = load_model(stage, plan, None)
        self.step = TrainStep(model, plan)
        self.optimizer = make_optimizer(self.step.parameters, stage.recipe.train)
        loader = StepLoader(stage.prepared.train, ROWS, 0, self.step.layout)
        self.batches = list(loader.steps(0, ROUNDS * STEPS_A_ROUND))
        self.done = 0

    def seconds(self) -> list[float]:
        """Of the next steps of a round."""
        return [self._one() for _ in range(STEPS_A_ROUND)]

    def _one(self) -> float:
        began = time.perf_counter()
        self.step(self.batches[self.done], self.done)
        torch.nn.utils.clip_grad_norm_(self.step.parameters, 1.0)
        self.optimizer.step()
        self.done += 1
        return time.perf_counter() - began


class Trl:
    """TRL's trainer, in its own process and environment."""

    def __init__(self, stage: Stage, scratch: Path) -> None:
        lora = stage.recipe.lora
        loader = StepLoader(stage.prepared.train, ROWS, 0, Layout(1 << 20))
        rows = stage.prepared.train
        job = {
            "model": str(stage.model_folder),
            "threads": torch.get_num_threads(),
            "lora": {"r": lora.r, "lora_alpha": lora.lora_alpha, "target_modules": "all-linear"},
            "steps": [
                [
                    _labelled(rows[i])
                    for i in sorted({int(n) for p in b.packs for n in p.row_numbers})
                ]
                for b in loader.steps(0, ROUNDS * STEPS_A_ROUND)
            ],
        }
        (scratch / "job.json").write_text(json.dumps(job))
        script = str(Path(__file__).parent / "trl_step.py")
        self.process = subprocess.Popen(
            [str(PEER), script, str(scratch / "job.json")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def seconds(self) -> list[float]:
        """Of the next steps of a round."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{STEPS_A_ROUND}\n")
        self.process.stdin.flush()
        found: list[float] = json.loads(self.process.stdout.readline())
        return found


def _labelled(row: TokenRow) -> dict[str, list[int]]:
    ids = [int(i) for i in row.input_ids]
    labels = [i if scored else -100 for i, scored in zip(ids, row.scored, strict=True)]
    return {"input_ids": ids, "labels": labels}


def main() -> None:
    quiet_libraries()
    stage = make_stage(load_recipe("price-demo", ["data.limit=4000", "model.dtype=float32"]))
    with tempfile.TemporaryDirectory() as scratch:
        engines = {"Nybble": Nybble(stage), "TRL": Trl(stage, Path(scratch))}
        seconds: dict[str, list[float]] = {name: [] for name in engines}
        for number in range(ROUNDS):
            for name, engine in engines.items():
                found = engine.seconds()
                seconds[name] += found[WARM:] if number == 0 else found
    tokens = statistics.mean(b.tokens for b in engines["Nybble"].batches)  # type: ignore[union-attr]
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    table = Table("engine, fp32", "ms a step of 32 rows", "tokens/s", "against TRL")
    for name, median in medians.items():
        ratio = medians["TRL"] / median
        table.add_row(name, f"{1000 * median:.0f}", f"{tokens / median:,.0f}", f"{ratio:.2f}x")
    Console().print(table)
    if len(sys.argv) > 1:
        record = {
            "date": time.strftime("%Y-%m-%d"),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "step_ms": {name: round(1000 * median, 1) for name, median in medians.items()},
            "tokens_per_second": {name: round(tokens / m) for name, m in medians.items()},
        }
        Path(sys.argv[1]).write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
