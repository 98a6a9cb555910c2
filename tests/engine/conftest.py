"""Tiny models of every family, quantised on the CPU, and gradients of both paths."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nybble.data.render import TokenRow
from nybble.planner.plan import Plan

PLAN = Plan(
    device="cpu", device_name="test", compute_dtype="float32", weight_bytes=0, bytes_per_token=0,
    micro_batch_tokens=512, recompute_layers=0, lean_layers=0, keep_weights=False, offload=False,
    host_vocabulary=False, buffer_bytes=2**28, reason="",
)  # fmt: skip
SIZES = {
    "vocab_size": 190, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip
# What of a family the engine computes otherwise than of the others.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"rope_parameters": LLAMA3, "tie_word_embeddings": True},
    "qwen2": {},
    "qwen3": {"head_dim": 32},
    "mistral": {"sliding_window": 7, "head_dim": 16},
}


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., Plan]:
    """A plan for a CPU in fp32, with some fields changed."""
    return lambda **fields: replace(PLAN, **fields)


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory) -> Callable[[str], Path]:
    """Random weights of a family, on the disk; norms and biases do something."""
    folders: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in folders:
            import torch
            from transformers import AutoConfig, AutoModelForCausalLM

            config = AutoConfig.for_model(family, **(SIZES | FAMILIES[family]))
            model = AutoModelForCausalLM.from_config(config)
            generator = torch.Generator().manual_seed(3)
            for name, parameter in model.named_parameters():
                middle = 1.0 if "norm" in name else 0.0
                parameter.data.normal_(middle, 0.12, generator=generator)
            folders[family] = tmp_path_factory.mktemp("bases") / family
            model.save_pretrained(folders[family])
        return folders[family]

    return make


@pytest.fixture(scope="session")
def stand_in(base_folder) -> Callable[..., Any]:
    """A model of a family with adapters that do something, by PEFT's own options."""

    def make(family: str, quantization: str = "nf4", **lora: Any) -> Any:
        from peft import LoraConfig, get_peft_model

        from nybble.model.adapters import in_fp32
        from nybble.model.load import load_base
        from nybble.recipe.schema import ModelPart

        folder = base_folder(family)
        part = ModelPart.model_validate({"base": str(folder), "quantization": quantization})
        options = {"r": 3, "lora_alpha": 7, "target_modules": "all-linear"} | lora
        model = get_peft_model(
            load_base(folder, part, PLAN), LoraConfig(task_type="CAUSAL_LM", **options)
        )
        return not_zero(in_fp32(model))

    return make


def not_zero(model: Any) -> Any:
    """`model` with adapters drawn at random: with B zero as at the start, A has no gradient."""
    import torch

    generator = torch.Generator().manual_seed(11)
    for name, parameter in model.named_parameters():
        if "lora_" in name and "magnitude" not in name:
            parameter.data.normal_(0.0, 0.1, generator=generator)
    return model


@pytest.fixture(scope="session")
def random_rows() -> list[TokenRow]:
    """Rows of unlike lengths; what is scored of them is random, and of one nothing."""
    random = np.random.default_rng(4)
    rows = []
    for number, length in enumerate([12, 31, 2, 19, 25, 8]):
        scored = random.random(length) < 0.4
        scored[-1] = scored[-1] or number != 5
        if number == 5:
            scored[:] = False
        ids = random.integers(3, 190, length).tolist()
        rows.append(TokenRow(number, ids, scored.tolist(), (1,)))
    return rows


@dataclass(frozen=True)
class Made:
    """What one step gave: its loss, and a gradient for each trained parameter by name."""

    loss: float
    gradients: dict[str, Any]

    def error(self, expected: "Made") -> float:
        """Norm of the difference of all gradients, over the norm of the expected ones."""
        pairs = [(self.gradients[name].double(), g.double()) for name, g in
                 expected.gradients.items()]  # fmt: skip
        apart = sum(float((a - b).square().sum()) for a, b in pairs)
        return (apart / sum(float(b.square().sum()) for _, b in pairs)) ** 0.5


Compute = Callable[..., Made]


@pytest.fixture(scope="session")
def compute(plan_of) -> Compute:
    """One step of a model on the engine or the stock path."""

    def run(
        model: Any,
        rows: Sequence[TokenRow],
        stock: bool = False,
        step: int = 3,
        numbers: Sequence[int] | None = None,
        loss_scale: float = 1.0,
        **fields: Any,
    ) -> Made:
        import torch

        from nybble.data.batches import make_step
        from nybble.data.packing import Layout
        from nybble.engine.step import TrainStep
        from nybble.engine.stock import StockPath
        from nybble.model.adapters import trainable_parameters

        train_step = TrainStep(model, plan_of(**fields), seed=5)
        if stock:
            train_step.path = StockPath(model, "cpu", torch.float32, 5)
            train_step.layout = Layout(4096, padded=True)
        else:
            assert train_step.why_stock is None
        batch = make_step(rows, numbers or range(len(rows)), train_step.layout)
        loss = float(train_step(batch, step, loss_scale))
        gradients = {n: p.grad.clone() for n, p in trainable_parameters(model).items()}
        return Made(loss, gradients)

    return run
