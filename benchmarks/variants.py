"""What each variant keeps in memory, saves and costs: the bundled model on this CPU.

    python benchmarks/variants.py

One line each: trained parameters, bytes of frozen weights, of the optimiser's state and of what is
saved, processor seconds of a step (the median of five after one to warm up; other work on the
machine hardly changes them), and the path.
"""

import statistics
import tempfile
import time
from pathlib import Path

from nybble.data.batches import make_step
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.pipeline.stage import make_stage
from nybble.pipeline.train import load_model
from nybble.planner.device import Device
from nybble.recipe import load_recipe
from nybble.training.checkpoint import save_trained
from nybble.training.optimizer import make_optimizer
from nybble.training.optimizer_state import optimizer_tensors

ROWS, STEPS = 16, 5
SMALL = ["data.limit=200", "data.validation=20", "data.test=20", "evaluate.size=0"]
VARIANTS = (
    [],
    ["model.quantization=fp4"],
    ["model.quantization=int8"],
    ["model.quantization=none"],
    ["lora.variant=rslora"],
    ["lora.variant=dora"],
    ["lora.modules_to_save=[embed_tokens]"],
    ["model.new_tokens=[<call>]"],
    ["train.optim=adamw_8bit"],
    ["lora=null", "model.quantization=none"],
    ["lora=null", "model.quantization=none", "train.optim=adamw_8bit"],
)


def measure(overrides: list[str]) -> str:
    """One row of the table."""
    recipe = load_recipe("price-demo", [*SMALL, *overrides])
    stage = make_stage(recipe)
    plan = stage.plan(Device("cpu", "here", (0, 0), 8_000_000_000))
    model = load_model(stage, plan, None)
    trained = trainable_parameters(model)
    optimizer = make_optimizer(trained.values(), recipe.train)
    step = TrainStep(model, plan)
    batch = make_step(list(stage.prepared.train[:ROWS]), range(ROWS), step.layout)
    seconds = []
    for number in range(STEPS + 1):
        began = time.process_time()
        step(batch, number)
        optimizer.step()
        seconds.append(time.process_time() - began)
    ids = {id(parameter) for parameter in trained.values()}
    weights = sum(p.nbytes for p in model.parameters() if id(p) not in ids)
    state = sum(tensor.nbytes for tensor in optimizer_tensors(model, optimizer).values())
    with tempfile.TemporaryDirectory() as folder:
        save_trained(model, Path(folder), "base")
        saved = sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))
    count = sum(parameter.numel() for parameter in trained.values())
    return (
        f"| {' '.join(overrides) or 'the default'} | {count:,} | {weights / 1e6:.2f} "
        f"| {state / 1e6:.2f} | {saved / 1e6:.2f} | {statistics.median(seconds[1:]):.3f} "
        f"| {'stock' if step.why_stock else 'engine'} |"
    )


if __name__ == "__main__":
    print("| variant | trained | weights, MB | optimiser, MB | saved, MB | step, CPU s | path |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for overrides in VARIANTS:
        print(measure(overrides), flush=True)
