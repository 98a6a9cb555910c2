"""Generation: one prompt at a time through transformers' `generate`, and ours, on the same model.

    python benchmarks/generation.py [MODEL] [--prompts 200] [--new 8 64] [--out RESULTS.json]
                                    [--dtype float32] [--quantization nf4]

Without MODEL it is the bundled model on this machine, with prompts of the price demo; where others
use the machine too, set OMP_NUM_THREADS=1: threads that wait for each other measure them. MODEL
is a folder with a config.json; where it holds no weights, random ones of that shape are made, and
prompts are random ids, about 100 each. The base is in NF4 with LoRA adapters (r=32, attention)
that change what it says, and both ways run on the same loaded model.

One by one is what a user of transformers and PEFT writes: `model.generate(ids)`. A pass of it may
cover fewer prompts than ours, for time's sake: rates are per prompt. Passes take turns, and the
figure is the median. Then the answers are compared, with the adapter and without. In fp32 every id
must be equal. In 16 bits, where the two ways part at a token, the best two candidates must be
closer than twice the kernels' tolerance: the largest difference of logits between `generate` with
its cache and a plain forward of the same tokens, or between a prompt alone and in a batch. The
decode step is timed eager and, where it can be captured, as a CUDA graph: what one is worth.
"""

import argparse
import json
import statistics
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from generation_ways import Bench, Ids, NoStop, demo_prompts, load, random_prompts, random_weights
from nybble.cli.main import quiet_libraries
from nybble.generation import decoding, prefill
from nybble.generation.choice import uniforms
from nybble.generation.decoding import decode
from nybble.generation.ending import Ending
from nybble.model.device import current_device

OUT = Path(__file__).parent / "results" / "generation.json"
ROUNDS = 3
SECONDS_ONE_BY_ONE = 15.0


def timed(bench: Bench) -> dict[str, Any]:
    """Median seconds per prompt of both ways, which take turns."""
    bench.ours()
    bench.alone(bench.prompts[0])
    began = bench.now()
    bench.alone(bench.prompts[1])
    fitting = int(SECONDS_ONE_BY_ONE / ROUNDS / (bench.now() - began))
    some = bench.prompts[: max(4, min(len(bench.prompts), fitting))]
    single, batched = [], []
    if bench.plan.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(ROUNDS):
        began = bench.now()
        for prompt in some:
            bench.alone(prompt)
        single.append((bench.now() - began) / len(some))
        began = bench.now()
        bench.ours()
        batched.append((bench.now() - began) / len(bench.prompts))
    one, ours = statistics.median(single), statistics.median(batched)
    return {
        "prompts": len(bench.prompts),
        "prompt_tokens_mean": round(statistics.mean(map(len, bench.prompts)), 1),
        "new_tokens": bench.sampling.max_new_tokens,
        "prompts_one_by_one": len(some),
        "one_by_one_ms_per_prompt": round(1000 * one, 2),
        "ours_ms_per_prompt": round(1000 * ours, 2),
        "times_as_fast": round(one / ours, 1),
        "times_as_fast_by_round": [round(a / b, 1) for a, b in zip(single, batched, strict=True)],
        "peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2)
        if bench.plan.device == "cuda"
        else None,
    }


@torch.no_grad()
def alone_with_logits(bench: Bench, prompt: Ids) -> tuple[Ids, torch.Tensor, torch.Tensor]:
    """New ids, and the logits [new, vocabulary] of `generate` and of a plain forward."""
    ids = torch.tensor([prompt], device=bench.device)
    with bench.autocast():
        out = bench.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=False,
            max_new_tokens=bench.sampling.max_new_tokens, pad_token_id=0,
            return_dict_in_generate=True, output_logits=True,
        )  # fmt: skip
        new = bench.sampling.max_new_tokens
        plain = bench.model(input_ids=out.sequences[:, :-1], logits_to_keep=new, use_cache=False)
    found: Ids = out.sequences[0, len(prompt) :].tolist()
    return found, torch.cat(out.logits).float(), plain.logits[0].float()


def compared(bench: Bench, count: int, adapted: bool) -> dict[str, Any]:
    """Where the two ways part, and how close the best two candidates are there."""
    prompts, margins, tolerance = bench.prompts[:count], [], 0.0
    with nullcontext() if adapted else bench.model.disable_adapter():
        ours = bench.ours()[:count]
        together = bench.last_logits(prompts)
        for prompt, mine, next_logits in zip(prompts, ours, together, strict=True):
            theirs, cached, plain = alone_with_logits(bench, prompt)
            tolerance = max(tolerance, float((cached - plain).abs().max()))
            tolerance = max(tolerance, float((next_logits - cached[0]).abs().max()))
            if mine != theirs:
                at = next(i for i in range(len(theirs)) if mine[i] != theirs[i])
                margins.append(float(plain[at].max() - plain[at, mine[at]]))
    exact = bench.plan.compute_dtype == "float32"
    return {
        "adapter": adapted,
        "rows": count,
        "rows_equal": count - len(margins),
        "largest_logit_difference": tolerance,
        "largest_margin_where_they_part": max(margins, default=None),
        "as_promised": not margins or (not exact and max(margins) <= 2 * tolerance),
    }


@torch.no_grad()
def decode_step(bench: Bench) -> dict[str, Any]:
    """Milliseconds of a decode step of one batch: eager, and replayed from a CUDA graph."""
    length = max(map(len, bench.prompts)) + 32
    prompts = bench.prompts[: max(1, bench.plan.micro_batch_tokens // length)]
    on = bench.dtype != torch.float32
    with torch.autocast(bench.plan.device, bench.dtype, enabled=on, cache_enabled=False):
        sampling = replace(bench.sampling, max_new_tokens=32)
        rows, _ = decoding._begin(bench.model, prompts, 1, sampling, None)
        ids, at = (
            rows.ids[:, -1:].clone(),
            rows.positions[:, rows.ids.shape[1]][:, None].clone(),
        )

        def step() -> torch.Tensor:
            return prefill.forward(bench.model, ids, rows.mask, at, rows.cache)

        found: dict[str, Any] = {"rows": len(prompts), "eager_ms": step_ms(bench, step, 4)}
        try:
            graph = torch.cuda.CUDAGraph()
            began = bench.now()
            with torch.cuda.graph(graph):
                step()
            found["capture_ms"] = round(1000 * (bench.now() - began), 1)
            found["replayed_ms"] = step_ms(bench, graph.replay, 8)
        except (RuntimeError, NotImplementedError) as error:
            found["no_graph"] = str(error).splitlines()[0][:200]
    return found


def step_ms(bench: Bench, step: Any, count: int) -> float:
    step()
    began = bench.now()
    for _ in range(count):
        step()
    return round(1000 * (bench.now() - began) / count, 2)


def samples(bench: Bench) -> dict[str, Any]:
    """31 draws of each of some prompts: a prompt computed once, against once a draw."""
    prompts, draws = bench.prompts[:8], 31
    sampling = replace(bench.sampling, temperature=1.0)
    ending = Ending(NoStop(), frozenset())

    def seconds(asked: list[Ids], each: int) -> float:
        numbers = uniforms(sampling, range(len(asked)), each).to(bench.device)
        began = bench.now()
        with bench.autocast(), torch.no_grad():
            decode(bench.model, asked, each, sampling, numbers, ending)
        return bench.now() - began

    seconds(prompts, draws)
    repeated = [prompt for prompt in prompts for _ in range(draws)]
    shared = statistics.median(seconds(prompts, draws) for _ in range(ROUNDS))
    apart = statistics.median(seconds(repeated, 1) for _ in range(ROUNDS))
    return {"draws": draws, "shared_ms": round(1000 * shared), "apart_ms": round(1000 * apart)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--new", type=int, nargs="*", default=[8, 64])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"])
    parser.add_argument("--quantization", default="nf4")
    arguments = parser.parse_args()
    quiet_libraries()
    device = current_device()
    record: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if device.kind == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "versions": {
            name: version(name) for name in ("torch", "transformers", "peft", "bitsandbytes")
        },
    }
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.model is None:
            folder = Path(decoding.__file__).parents[1] / "mini" / "model"
            prompts = demo_prompts(arguments.prompts)
        else:
            folder = arguments.model
            if not list(folder.glob("*.safetensors")):
                folder = random_weights(folder, Path(scratch))
            vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
            prompts = random_prompts(arguments.prompts, vocabulary)
        model, plan = load(folder, arguments.quantization, arguments.dtype)
        record["quantization"] = arguments.quantization
        record["model"] = arguments.model.name if arguments.model else "bundled:mini"
        record["compute_dtype"] = plan.compute_dtype
        record["batch_tokens"] = plan.micro_batch_tokens
        for new in arguments.new:
            bench = Bench(model, plan, prompts, new)
            record[f"new_{new}"] = note("timed", timed(bench))
        bench = Bench(model, plan, prompts, arguments.new[0])
        rows = min(24, len(prompts))
        record["equal"] = [
            note("equal", compared(bench, rows, adapted)) for adapted in (True, False)
        ]
        record["samples"] = note("samples", samples(bench))
        record["decode_step"] = note("decode_step", decode_step(bench))
    save(arguments.out, record)
    print(json.dumps(record, indent=1))
    if not all(found["as_promised"] for found in record["equal"]):
        raise SystemExit("answers differ by more than rounding")


def note(name: str, found: dict[str, Any]) -> dict[str, Any]:
    print(name, json.dumps(found), flush=True)
    return found


def save(path: Path, record: dict[str, Any]) -> None:
    """Replace the record of the same model, device and number format; keep the others."""
    kept = json.loads(path.read_text())["records"] if path.exists() else []
    same = ("model", "device", "compute_dtype", "quantization")
    kept = [other for other in kept if any(other.get(key) != record[key] for key in same)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"records": [*kept, record]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
