"""The spine on a GPU: MBPP on a random-weight Qwen2.5-Coder-0.5B of the true shape, and the demo.

    python benchmarks/gpu_check.py CONFIG_AND_TOKENIZER MBPP_JSONL OUT

Checks that losses fall, that every file of the run folder is there, that adapters and moments are
fp32 while compute is bf16 (and fp16 with loss scaling), that a resumed run gives the same losses,
and that the size of micro-batches does not change them. Writes OUT/gpu_check.json.
"""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM


def make_checkpoint(source: Path, folder: Path) -> None:
    """Random weights of the shape that `source`/config.json says, in bf16, tokenizer beside."""
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(source)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)


def nybble(*arguments: str) -> float:
    """Run one verb in a process of its own; gives its seconds."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "nybble", *arguments], check=True)
    return time.monotonic() - began


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def state(run: Path) -> dict[str, str]:
    """The dtypes that were saved."""
    adapter = load_file(run / "adapter" / "adapter_model.safetensors")
    return {"adapter": ",".join(sorted({str(t.dtype) for t in adapter.values()}))}


def main() -> None:
    source, rows, out = map(Path, sys.argv[1:])
    base = out / "coder"
    make_checkpoint(source, base)
    common = (f"model.base={base}", f"data.train={rows}", "data.validation=50",
              "data.test=100", "train.learning_rate=1e-3")  # fmt: skip
    results: dict[str, object] = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }

    def train(name: str, *more: str) -> Path:
        run = out / name
        seconds = nybble("train", "mbpp-coder", *common, *more, "--output", str(run))
        found = losses(run)
        metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        results[name] = {
            "losses": found,
            "falls": sum(found[-5:]) < sum(found[:5]),
            "seconds": round(seconds, 1),
            "peak_gb": max(m.get("peak_bytes", 0) for m in metrics) / 1e9,
            "compute_dtype": json.loads((run / "plan.json").read_text())["compute_dtype"],
            "files": sorted(str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()),
            **state(run),
        }
        return run

    whole = train("mbpp", "train.max_steps=20", "train.save_steps=10")
    train("mbpp_fp16", "train.max_steps=20", "model.dtype=float16")
    halted = out / "resumed"
    shutil.copytree(whole, halted)
    for name in ("adapter", "metrics.jsonl"):
        target = halted / name
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    nybble("resume", str(halted))
    resumed = losses(halted)
    apart = [abs(a - b) for a, b in zip(losses(whole)[10:], resumed, strict=True)]
    results["resume_largest_loss_difference"] = max(apart)
    demo = out / "demo"
    seconds = nybble("run", "price-demo", "--output", str(demo))
    comparison = json.loads((demo / "evaluation" / "comparison.json").read_text())
    results["price_demo"] = {"seconds": round(seconds, 1), "tuned": comparison["tuned"]}
    (out / "gpu_check.json").write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
