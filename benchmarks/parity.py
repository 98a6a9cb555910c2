"""The engine's gradients on a GPU, against an fp32 reference, beside the stock path's.

    python benchmarks/parity.py OUT.json [FAMILY ...]

For every family, at the widths of a true model (three layers, random weights, NF4): gradients of
all adapters by the engine in each of its ways, and by PEFT under bf16 autocast, both compared with
the stock model in fp32 over the same dequantised weights. Adapters are random, B too. Then three
checks of captured graphs: adapters change after every replay, a step that is not finite leaves them
and the optimiser's state alone, and an evaluation in between does no harm.
"""

import gc
import json
import random
import sys
import tempfile
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from nybble.data.batches import make_step
from nybble.data.packing import Layout
from nybble.data.render import TokenRow
from nybble.engine.quantized import dequantized, read_quantized
from nybble.engine.step import TrainStep
from nybble.engine.stock import StockPath
from nybble.model.load import load_base
from nybble.planner.architecture import ATTENTION
from nybble.planner.plan import Plan
from nybble.recipe.schema import ModelPart

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PLAN = Plan(
    device=DEVICE, device_name="", compute_dtype="bfloat16" if DEVICE == "cuda" else "float32",
    weight_bytes=0, bytes_per_token=0, micro_batch_tokens=1024, recompute_layers=0, lean_layers=0,
    keep_weights=False, offload=False, host_vocabulary=False, buffer_bytes=2**28, reason="",
)  # fmt: skip
VOCABULARY, LAYERS = 16_000, 3
# Hidden width, MLP width, heads, key-value heads, and what else differs.
SHAPES: dict[str, tuple[int, int, int, int, dict[str, Any]]] = {
    "llama": (3072, 8192, 24, 8, {"head_dim": 128}),
    "qwen2": (896, 4864, 14, 2, {}),
    "qwen3": (2560, 9728, 32, 8, {"head_dim": 128}),
    "mistral": (4096, 14_336, 32, 8, {"sliding_window": 100, "head_dim": 128}),
}
WAYS: dict[str, dict[str, Any]] = {
    "whole": {},
    "all layers recomputed, two packs": {"recompute_layers": LAYERS, "micro_batch_tokens": 512},
    "inputs on the host": {"recompute_layers": LAYERS, "offload": True},
    "attention kept": {"recompute_layers": LAYERS, "attention_layers": 2},
    "attention on the host": {"recompute_layers": 2, "attention_layers": 2, "offload": True},
    "one recomputed, two lean": {"recompute_layers": 1, "lean_layers": 2},
    "linear by linear": {"buffer_bytes": 1},
    "kept weights": {"keep_weights": True},
    "embedding and head on the host": {"host_vocabulary": True, "buffer_bytes": 2**26},
}
# Lengths of the rows of a step: unlike ones, and two that lie aligned, for cuDNN's attention.
ROWS = {"unlike": [37, 300, 5, 120, 64, 200, 90, 11], "aligned": [512, 505]}
Gradients = dict[str, Tensor]


def make_base(family: str, folder: Path) -> None:
    hidden, mlp, heads, kv, more = SHAPES[family]
    config = AutoConfig.for_model(
        family, vocab_size=VOCABULARY, hidden_size=hidden, intermediate_size=mlp,
        num_hidden_layers=LAYERS, num_attention_heads=heads, num_key_value_heads=kv,
        tie_word_embeddings=family == "llama", max_position_embeddings=4096, **more,
    )  # fmt: skip
    torch.manual_seed(random.randrange(2**31))
    with torch.device(DEVICE):
        AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)


def adapted(folder: Path, plan: Plan, lora: LoraConfig, seed: int, wide: bool = False) -> nn.Module:
    """A quantised base with adapters drawn by `seed`; with `wide`, all of it in fp32."""
    part = ModelPart.model_validate({"base": str(folder)})
    base = load_base(folder, part, plan)
    if wide:
        for name, module in list(base.named_modules()):
            if isinstance(module, Linear4bit):
                base.set_submodule(name, in_fp32(module))
        for tensor in base.parameters():
            tensor.data = tensor.data.float()
    model = get_peft_model(base, lora)
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.requires_grad:
            drawn = torch.randn(parameter.shape, generator=generator) * 0.02
            parameter.data = drawn.to(parameter.device)
    return model


def in_fp32(linear: Any) -> nn.Linear:
    """A plain linear of the weights that every path multiplies with."""
    weight = dequantized(read_quantized(linear.weight)).to(getattr(torch, PLAN.compute_dtype))
    plain = nn.Linear(linear.in_features, linear.out_features, linear.bias is not None, DEVICE)
    plain.weight.data = weight.float()
    if linear.bias is not None:
        plain.bias.data = linear.bias.data.float()
    return plain


def rows_of(lengths: list[int]) -> list[TokenRow]:
    rows = []
    for number, length in enumerate(lengths):
        prompt = random.randrange(1, length)
        ids = [random.randrange(VOCABULARY) for _ in range(length)]
        scored = [at >= prompt and random.random() < 0.7 for at in range(length - 1)] + [True]
        rows.append(TokenRow(number, ids, scored, (prompt,)))
    return rows


def gradients(step: TrainStep, rows: list[TokenRow], layout: Layout) -> Gradients:
    step(make_step(rows, range(len(rows)), layout), 3)
    named = step.model.named_parameters()
    return {n: p.grad.double() for n, p in named if p.requires_grad and p.grad is not None}


def stock_gradients(model: nn.Module, plan: Plan, rows: list[TokenRow]) -> Gradients:
    step = TrainStep(model, plan, 5)
    step.path = StockPath(model, DEVICE, getattr(torch, plan.compute_dtype), 5)
    return gradients(step, rows, Layout(4096, padded=True))


def errors(made: Gradients, true: Gradients) -> tuple[float, dict[str, float]]:
    """Of all gradients at once, and of each tensor: norm of the difference by the norm."""
    apart = {name: float((made[name] - true[name]).norm()) for name in true}
    norms = {name: float(true[name].norm()) for name in true}
    whole = sum(a * a for a in apart.values()) ** 0.5 / sum(n * n for n in norms.values()) ** 0.5
    return whole, {name: apart[name] / norms[name] for name in true}


def compare(
    family: str, lengths: str, targets: Any, r: int, p: float, folder: Path
) -> list[dict[str, Any]]:
    lora = LoraConfig(r=r, lora_alpha=2 * r, lora_dropout=p, target_modules=targets,
                      task_type="CAUSAL_LM")  # fmt: skip
    seed = random.randrange(2**31)
    rows = rows_of(ROWS[lengths])
    wide = replace(PLAN, compute_dtype="float32")
    true = stock_gradients(adapted(folder, PLAN, lora, seed, wide=True), wide, rows)
    stock, by_tensor = errors(stock_gradients(adapted(folder, PLAN, lora, seed), PLAN, rows), true)
    records = []
    for way, fields in WAYS.items():
        if DEVICE == "cpu" and (fields.get("offload") or fields.get("host_vocabulary")):
            continue
        plan = replace(PLAN, **fields)
        step = TrainStep(adapted(folder, plan, lora, seed), plan, 5)
        assert step.why_stock is None, step.why_stock
        sizes = tuple(range(256, plan.micro_batch_tokens + 1, 256)) if DEVICE == "cuda" else ()
        layout = Layout(plan.micro_batch_tokens, sizes)
        for _ in range(2):  # captured, then replayed; memory between is poisoned
            made = gradients(step, rows, layout)
            torch.full((2**26,), float("nan"), device=DEVICE)
        whole, tensors = errors(made, true)
        worst = max(tensors[name] / max(by_tensor[name], 1e-12) for name in tensors)
        records.append({
            "family": family, "rows": lengths, "r": r, "dropout": p, "way": way, "error": whole,
            "stock_error": stock, "ratio": round(whole / max(stock, 1e-12), 3),
            "worst_tensor_ratio": round(worst, 3),
        })  # fmt: skip
        print(json.dumps(records[-1]), flush=True)
        del step
        gc.collect()
    return records


def replay_checks(folder: Path) -> dict[str, bool]:
    """What captured graphs must not break; a step of loss scale infinity is not finite."""
    model = adapted(folder, PLAN, LoraConfig(r=8, target_modules="all-linear"), 1)
    step = TrainStep(model, PLAN, 5)
    rows = rows_of([100, 200, 50])
    batch = make_step(rows, range(3), Layout(1024, (256, 512)) if DEVICE == "cuda" else Layout(512))
    optimizer = torch.optim.AdamW(step.parameters, lr=1e-3, fused=True)

    def update(loss_scale: float = 1.0) -> list[Tensor]:
        step(batch, 3, loss_scale)
        norm = torch.nn.utils.clip_grad_norm_(step.parameters, 1.0)
        optimizer.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]
        optimizer.step()
        return [p.detach().clone() for p in step.parameters]

    def same(a: list[Tensor], b: list[Tensor]) -> bool:
        return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))

    def moments() -> list[Tensor]:
        return [s["exp_avg"].clone() for s in optimizer.state.values()]

    first, second, third = update(), update(), update()
    before = moments()
    skipped = update(float("inf"))
    kept = moments()
    once = gradients(step, rows, Layout(512))
    step.evaluate([batch])
    again, _ = errors(gradients(step, rows, Layout(512)), once)
    return {
        "adapters change at each replay": not same(first, second) and not same(second, third),
        "a step that is not finite changes nothing": same(third, skipped) and same(before, kept),
        "evaluation does no harm": again < 1e-2,
    }


def main() -> None:
    out = Path(sys.argv[1])
    torch.backends.cuda.matmul.allow_tf32 = False
    seed = time.time_ns() % 2**31
    random.seed(seed)
    packages = ("torch", "transformers", "peft", "bitsandbytes", "triton")
    about = {"date": time.strftime("%Y-%m-%d"), "seed": seed} | {p: version(p) for p in packages}
    records: list[dict[str, Any]] = []
    checks: dict[str, bool] = {}
    for family in sys.argv[2:] or SHAPES:
        with tempfile.TemporaryDirectory() as scratch:
            make_base(family, Path(scratch))
            for targets, r in ((list(ATTENTION), 32), ("all-linear", 16)):
                for p in (0.0, 0.1):
                    records += compare(family, "unlike", targets, r, p, Path(scratch))
            records += compare(family, "aligned", "all-linear", 16, 0.1, Path(scratch))
            checks = checks or replay_checks(Path(scratch))
        worst = {
            "ratio": max(record["ratio"] for record in records),
            "worst_tensor_ratio": max(record["worst_tensor_ratio"] for record in records),
        }
        text = {"about": about, "checks": checks, "worst": worst, "records": records}
        out.write_text(json.dumps(text, indent=1) + "\n")
    print(json.dumps(text["worst"] | checks))


if __name__ == "__main__":
    main()
