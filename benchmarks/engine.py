"""The engine against its peers on one GPU, through `nybble train` itself.

    python benchmarks/engine.py MODEL OUT.json [--peers SCRIPT] [--peer-path PATH] [--only price]

MODEL is a random-weight Llama-3.2-3B of the true shape with a byte-level tokenizer, so a letter is
a token. Workloads: `price` (32 rows of about 101 tokens, the last 5 scored, r=32 on
attention), `dense` (2 rows of 2,048, all scored, r=16 on all seven), `chat` (8 rows of log-normal
length, mean about 560, 60% scored, r=16 on all seven), and for the least memory `single` (1 row of
2,048, r=16 on all seven). Every setting is a process of its own; memory is what torch reserved in
it, from loading on. Tokens are real ones, no padding; their rate is the mean number of a step by
the median of its time, for all alike.

SCRIPT times a peer: `SCRIPT --engine unsloth --shape price --ckpt 1 --model MODEL` prints a line
RESULT and a JSON object with `tok_s`, `ms` and `peak_res_GB`; it runs with PATH as PYTHONPATH.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

ATTENTION_FLOP = {"price": 100, "dense": 2048, "chat": 900, "single": 2048}
STEPS = {"price": 40, "dense": 40, "chat": 80, "single": 20}
TIMED = {"price": 20, "dense": 20, "chat": 30, "single": 10}
# `fast`: no more memory than the fastest tuned peer takes; `tight`: than the peer as it comes.
SETTINGS = {
    "price": {
        "tight": ["train.recompute=24", "train.keep_attention=16", "train.offload=true",
                  "train.pack_tokens=3328"],
        "fast": ["train.memory_gb=11.9", "train.pack_tokens=3328"],
    },
    "dense": {
        "tight": ["train.recompute=all", "train.pack_tokens=2048", "train.offload=true"],
        "fast": ["train.memory_gb=13.2", "train.pack_tokens=4096"],
    },
    "chat": {
        "tight": ["train.recompute=all", "train.pack_tokens=4096"],
        "fast": ["train.memory_gb=40"],
    },
    "single": {
        "tight": ["train.recompute=all", "train.pack_tokens=2048", "train.offload=true"],
        "host": ["train.recompute=all", "train.pack_tokens=2048", "train.offload=true",
                 "train.host_vocabulary=true"],
    },
}  # fmt: skip
PEERS = {
    "as it comes": ({}, "1"),
    "tuned": ({"UNSLOTH_PADDING_CHOICE": "padded", "UNSLOTH_BLOCK_CUDAGRAPHS": "1"}, "0"),
}


def lengths(workload: str, steps: int) -> tuple[int, list[tuple[int, int]]]:
    """Rows a step, and for each row its tokens and how many of them, at the end, are scored."""
    draw = random.Random(0)
    if workload == "price":
        rows = [min(126, max(40, int(draw.gauss(101, 18)))) for _ in range(32 * steps)]
        return 32, [(n, 5) for n in rows]
    if workload in ("dense", "single"):
        rows_a_step = 2 if workload == "dense" else 1
        return rows_a_step, [(2048, 2047)] * (rows_a_step * steps)
    rows = [min(2048, max(64, int(draw.lognormvariate(6.1, 0.7)))) for _ in range(8 * steps)]
    return 8, [(n, int(0.6 * n)) for n in rows]


def write_rows(path: Path, rows: list[tuple[int, int]]) -> None:
    """Random letters; the end-of-text token is the last of a row's scored tokens."""
    draw = random.Random(1)
    with path.open("w") as lines:
        for tokens, scored in rows:
            text = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz ", k=tokens - 1))
            cut = tokens - scored
            lines.write(json.dumps({"prompt": text[:cut], "completion": text[cut:]}) + "\n")


def recipe(model: str, data: Path, workload: str, batch_size: int, steps: int) -> str:
    """The recipe of a workload; nothing is held out, saved or evaluated on the way."""
    rank, targets = (32, "attention") if workload == "price" else (16, "all-linear")
    return json.dumps({
        "name": f"engine-{workload}",
        "model": {"base": model},
        "data": {"train": str(data), "validation": 0, "test": 0, "max_length": 2048},
        "lora": {"r": rank, "lora_alpha": 2 * rank, "target_modules": targets},
        "train": {"batch_size": batch_size, "max_steps": steps, "learning_rate": 1e-4,
                  "max_grad_norm": 0.3, "eval_steps": 0, "save_steps": 0},
    })  # fmt: skip


def train(model: str, workload: str, overrides: list[str], scratch: Path) -> dict[str, Any]:
    """Tokens a second, median step and reserved memory of one `nybble train`."""
    steps = STEPS[workload]
    batch_size, rows = lengths(workload, steps)
    write_rows(scratch / "rows.jsonl", rows)
    (scratch / "recipe.yaml").write_text(
        recipe(model, scratch / "rows.jsonl", workload, batch_size, steps)
    )
    command = [sys.executable, "-m", "nybble", "train", str(scratch / "recipe.yaml")]
    command += [*overrides, "--output", str(scratch / "run"), "--replace"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"failed": (done.stdout + done.stderr)[-1500:]}
    lines = (scratch / "run" / "metrics.jsonl").read_text().splitlines()
    log = [entry for entry in map(json.loads, lines) if "step_seconds" in entry]
    timed = log[-TIMED[workload] :]
    tokens = sum(entry["tokens"] for entry in timed)
    step_seconds = statistics.median(entry["step_seconds"] for entry in timed)
    scored = sum(entry["scored_tokens"] for entry in timed) / tokens
    return {
        "tokens_per_second": round(tokens / len(timed) / step_seconds),
        "step_ms": round(1000 * step_seconds, 1),
        "first_step_seconds": log[0]["step_seconds"],
        "reserved_gb": round(log[-1].get("peak_bytes", 0) / 1e9, 2),
        "flop_per_token": flop_per_token(model, workload, scored),
        "final_loss": log[-1]["loss"],
    }


def flop_per_token(model: str, workload: str, scored_share: float) -> float:
    """4 per linear weight, 4 per head weight where scored, causal attention; nothing twice."""
    config = json.loads((Path(model) / "config.json").read_text())
    hidden, mlp = config["hidden_size"], config["intermediate_size"]
    heads, kv = config["num_attention_heads"], config["num_key_value_heads"]
    width = config["head_dim"]
    linears = 2 * hidden * width * (heads + kv) + 3 * hidden * mlp
    # Half of the keys are seen on average; forward 2 products, backward 5.
    attention = 2 * 7 * heads * width * ATTENTION_FLOP[workload] / 2
    layers = config["num_hidden_layers"]
    return layers * (4 * linears + attention) + 4 * scored_share * hidden * config["vocab_size"]


def peer(arguments: argparse.Namespace, workload: str, setting: str) -> dict[str, Any]:
    """What the peer's own script says of one setting."""
    variables, checkpointing = PEERS[setting]
    command = [sys.executable, arguments.peers, "--engine", "unsloth", "--shape", workload]
    command += ["--ckpt", checkpointing, "--model", arguments.model]
    environment = os.environ | variables | {"PYTHONPATH": arguments.peer_path or ""}
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(command, capture_output=True, text=True, cwd=scratch, env=environment)
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    if not found:
        return {"failed": (done.stdout + done.stderr)[-1500:]}
    said = json.loads(found[-1].removeprefix("RESULT "))
    return {
        "tokens_per_second": round(said["tok_s"] * said["mean_ms"] / said["ms"]),
        "step_ms": said["ms"],
        "tokens_per_second_by_mean": said["tok_s"],
        "reserved_gb": said["peak_res_GB"],
    }


def gemm_ceiling() -> float:
    """FLOP a second of a bf16 product of the model's largest shape, on random numbers."""
    code = (
        "import torch;a=torch.randn(4096,3072,device='cuda').bfloat16();"
        "b=torch.randn(8192,3072,device='cuda').bfloat16();"
        "s,e=(torch.cuda.Event(enable_timing=True) for _ in '12')\n"
        "for n in (20,200):\n s.record();[a@b.t() for _ in range(n)];e.record();e.synchronize()\n"
        "print(200*2*4096*3072*8192/s.elapsed_time(e)*1e3)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--peers")
    parser.add_argument("--peer-path")
    parser.add_argument("--only", nargs="*", default=list(STEPS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-repeats", type=int, default=3)
    parser.add_argument("--tuned-repeats", type=int, default=1)
    arguments = parser.parse_args()
    ceiling = gemm_ceiling()
    about = {"date": time.strftime("%Y-%m-%d"), "gemm_ceiling_tflops": round(ceiling / 1e12, 1)}
    about |= {p: version(p) for p in ("torch", "transformers", "peft", "bitsandbytes", "triton")}
    records: list[dict[str, Any]] = []

    def note(**record: Any) -> None:
        rate, flop = record.get("tokens_per_second"), record.pop("flop_per_token", None)
        if rate and flop:
            record["gemm_ceiling_share"] = round(rate * flop / ceiling, 3)
        records.append(record)
        print(json.dumps(record), flush=True)
        arguments.out.write_text(json.dumps({"about": about, "records": records}, indent=1) + "\n")

    for workload in arguments.only:
        compared = arguments.peers and workload != "single"
        repeats = {"as it comes": arguments.peer_repeats, "tuned": arguments.tuned_repeats}
        for setting, count in repeats.items() if compared else ():
            for run in range(1, count + 1):
                found = peer(arguments, workload, setting)
                note(run=run, workload=workload, engine="unsloth", setting=setting, **found)
        settings = SETTINGS[workload]
        with tempfile.TemporaryDirectory() as scratch:
            for run in range(1, arguments.repeats + 1):
                for setting, overrides in settings.items():
                    found = train(arguments.model, workload, overrides, Path(scratch))
                    note(run=run, workload=workload, engine="nybble", setting=setting, **found)
            if "fast" in settings:
                overrides = [*settings["fast"], "lora.lora_dropout=0.1"]
                found = train(arguments.model, workload, overrides, Path(scratch))
                note(run=1, workload=workload, engine="nybble", setting="dropout 0.1", **found)


if __name__ == "__main__":
    main()
