"""A training killed at random moments, in saves too, beside one that nobody touched.

    python benchmarks/kills.py OUT.json [--kills 10] [--steps 400] [--deterministic]

The bundled model learns random rows by `nybble train`, with packing and dropout. A second training
of the same recipe is killed with SIGKILL and resumed as often as is asked; each resume must go on
from the newest checkpoint. Every step's loss is then held against the untouched run's; with
--deterministic the adapters should have the same bits on a GPU, too.
"""

import argparse
import json
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

SAVE_STEPS = 10


def write_recipe(folder: Path, steps: int, deterministic: bool) -> Path:
    """Rows of random letters, and a recipe that saves often."""
    draw = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz "
    with (folder / "rows.jsonl").open("w") as lines:
        for _ in range(8 * steps):
            prompt, answer = ("".join(draw.choices(letters, k=draw.randint(8, 60))) for _ in "12")
            lines.write(json.dumps({"prompt": prompt, "completion": answer}) + "\n")
    recipe = {
        "name": "kills",
        "model": {"base": "bundled:mini"},
        "data": {"train": str(folder / "rows.jsonl"), "validation": 16, "test": 0},
        "lora": {"r": 16, "lora_alpha": 32, "lora_dropout": 0.1},
        "train": {"batch_size": 8, "max_steps": steps, "learning_rate": 1e-3,
                  "eval_steps": 50, "save_steps": SAVE_STEPS, "save_total_limit": 3,
                  "deterministic": deterministic},
    }  # fmt: skip
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    return folder / "recipe.yaml"


def logged(run: Path) -> list[dict[str, Any]]:
    """The whole lines of a run's metrics; the last may be cut by a kill."""
    path = run / "metrics.jsonl"
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return found


def newest(run: Path) -> int:
    return max((int(p.name.rsplit("-", 1)[1]) for p in run.glob("checkpoints/checkpoint-*")),
               default=0)  # fmt: skip


def killed_once(command: list[str], run: Path, moment: random.Random) -> dict[str, Any]:
    """Starts `command`, kills it some steps after its first own line, and says where it stood."""
    before, goes_on_from = len(logged(run)), newest(run)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    aim = moment.randint(SAVE_STEPS + 1, 40)
    while process.poll() is None:
        lines = logged(run)
        reached = lines[-1]["step"] if lines else 0
        if len(lines) != before and newest(run) and reached >= goes_on_from + aim:
            time.sleep(moment.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    said = process.communicate()[0]
    lines = logged(run)
    return {
        "went_on_from": goes_on_from,
        "killed_after_step": lines[-1]["step"] if lines else 0,
        "code": process.returncode,
        **({} if process.returncode == -signal.SIGKILL else {"said": said[-800:]}),
    }


def losses(run: Path) -> dict[int, float]:
    """By step; a step that was done again counts as it was done last."""
    return {line["step"]: line["loss"] for line in logged(run) if "loss" in line}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--deterministic", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        recipe = write_recipe(folder, given.steps, given.deterministic)
        nybble = [sys.executable, "-m", "nybble"]
        whole = [*nybble, "train", str(recipe), "--output", str(folder / "whole")]
        subprocess.run(whole, check=True, stdout=subprocess.DEVNULL)
        run, moment = folder / "killed", random.Random(1)
        command = [*nybble, "train", str(recipe), "--output", str(run)]
        kills = []
        for _ in range(given.kills):
            kills.append(killed_once(command, run, moment))
            print(json.dumps(kills[-1]), flush=True)
            command = [*nybble, "resume", str(run)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        resumed = [line["step"] for line in logged(run) if "resumed" in line]
        one, other = losses(folder / "whole"), losses(run)
        apart = {step: abs(other[step] - loss) / loss for step, loss in one.items()}
        name = "adapter/adapter_model.safetensors"
        equal = (folder / "whole" / name).read_bytes() == (run / name).read_bytes()
    import torch

    record = {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "python": platform.python_version(),
        **{p: version(p) for p in ("torch", "transformers", "peft", "bitsandbytes")},
        "steps": len(one),
        "deterministic": given.deterministic,
        "kills": kills,
        "steps_that_metrics_say_were_resumed_from": resumed,
        "largest_relative_difference_of_a_loss": max(apart.values()),
        "adapters_bit_identical": equal,
    }
    given.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps({k: v for k, v in record.items() if k != "kills"}))


if __name__ == "__main__":
    main()
