"""Pre-train the mini model on generated text.

    python pretraining/train.py OUT --seconds 400

Needs the tokenizer in OUT (`make_tokenizer.py`). Generates the corpus on all cores, trains for the
given time with a warm-up and a linear decay to zero, writes bf16 safetensors and the facts that
the model card states. Meant for a GPU; on a CPU it runs, slowly (`--rows 2000 --batch 8`).
"""

import argparse
import json
import math
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from corpus import ROW_TOKENS, token_rows

PEAK_LEARNING_RATE, WARMUP_SHARE = 3e-3, 0.02
HELD_OUT_ROWS = 2_000


def mini_config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """3.5 million parameters: 7 MB in bf16."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def write_shard(tokenizer_dir: str, rows: int, seed: str, path: str) -> None:
    np.save(path, token_rows(AutoTokenizer.from_pretrained(tokenizer_dir), rows, seed))


def generate_rows(tokenizer_dir: Path, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Training rows and held-out rows [rows, 512], made on all cores."""
    workers = max(1, (os.cpu_count() or 2) - 1)
    with tempfile.TemporaryDirectory() as scratch:
        jobs = [
            (str(tokenizer_dir), -(-rows // workers), f"train {i}", f"{scratch}/{i}.npy")
            for i in range(workers)
        ]
        held_out = f"{scratch}/held.npy"
        jobs.append((str(tokenizer_dir), HELD_OUT_ROWS, "held out", held_out))
        with multiprocessing.get_context("spawn").Pool(workers) as pool:
            pool.starmap(write_shard, jobs, chunksize=1)
        train = np.concatenate([np.load(job[3]) for job in jobs[:-1]])
        return torch.from_numpy(train), torch.from_numpy(np.load(held_out))


@torch.no_grad()
def perplexity(model: torch.nn.Module, rows: torch.Tensor, device: str) -> float:
    losses = []
    for start in range(0, len(rows), 50):
        ids = rows[start : start + 50].to(device, torch.long)
        losses.append(model(input_ids=ids, labels=ids).loss.item())
    return math.exp(sum(losses) / len(losses))


def train(model: torch.nn.Module, rows: torch.Tensor, batch: int, seconds: float) -> int:
    """Train for `seconds` and give the number of steps; rows are taken in order."""
    device = next(model.parameters()).device.type
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), fused=True)
    compiled = torch.compile(model) if device == "cuda" else model
    began, step = time.monotonic(), 0
    while True:
        share = (time.monotonic() - began) / seconds
        if share >= 1:
            return step
        rate = PEAK_LEARNING_RATE * min(share / WARMUP_SHARE, (1 - share) / (1 - WARMUP_SHARE))
        for group in optimizer.param_groups:
            group["lr"] = rate
        start = step * batch % (len(rows) - batch + 1)
        ids = rows[start : start + batch].to(device, torch.long)
        with torch.autocast(device, torch.bfloat16):
            loss = compiled(input_ids=ids, labels=ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step == 0:
            began = time.monotonic()  # compilation is not training
        if step % 100 == 0:
            print(f"step {step} loss {loss.item():.4f} rate {rate:.2e} {share:.0%}", flush=True)
        step += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=400)
    parser.add_argument("--rows", type=int, default=1_400_000)
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(options.out)
    began = time.monotonic()
    rows, held_out = generate_rows(options.out, options.rows)
    print(f"{rows.numel():,} tokens made in {time.monotonic() - began:.0f} s", flush=True)
    model = LlamaForCausalLM(mini_config(tokenizer)).to(device)
    steps = train(model, rows, options.batch, options.seconds)
    model = model.to(torch.bfloat16)
    facts = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_tokens": steps * options.batch * ROW_TOKENS,
        "distinct_tokens": rows.numel(),
        "steps": steps,
        "training_seconds": options.seconds,
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "held_out_tokens": held_out.numel(),
        "held_out_perplexity_bf16": round(perplexity(model, held_out, device), 4),
        "torch": torch.__version__,
    }
    model.save_pretrained(options.out)
    (options.out / "pretraining.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(facts)


if __name__ == "__main__":
    main()
