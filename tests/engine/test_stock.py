"""What the engine does not compute says why, and is trained on the stock path."""

import re
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel

from nybble.data.batches import make_step
from nybble.engine.step import TrainStep
from nybble.planner.shape import read_shape

from .conftest import not_zero

pytestmark = pytest.mark.slow


def step_on_the_stock_path(model: Any, plan: Any, rows: Any) -> str:
    """Train a step and a second one; why it ran on the stock path."""
    step = TrainStep(model, plan)
    assert step.why_stock is not None
    assert step.layout.padded
    batch = make_step(rows, range(len(rows)), step.layout)
    optimizer = torch.optim.SGD(step.parameters, lr=1e-2)
    before = float(step(batch, 0))
    assert all(p.grad.isfinite().all() for p in step.parameters)
    optimizer.step()
    after = float(step(batch, 1))
    assert after < before
    assert step.evaluate([batch]) == pytest.approx(after, rel=1e-5)
    return step.why_stock


@pytest.mark.parametrize(
    ("lora", "reason"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, "is trained, which is no plain LoRA factor"),
        ({"modules_to_save": ["norm"]}, "is trained, which is no plain LoRA factor"),
        ({"target_modules": ["q_proj", "lm_head"]}, "lm_head.* is trained"),
        ({"target_modules": ["q_proj", "embed_tokens"]}, "several adapters|embed|trained"),
        ({"bias": "all"}, r"bias is trained"),
        ({"lora_bias": True}, "biases"),
    ],
    ids=["DoRA", "head saved", "norms saved", "head adapted", "embedding adapted", "biases",
         "biases of B"],
)  # fmt: skip
def test_what_peft_does_beyond_plain_lora(stand_in, plan_of, random_rows, lora, reason) -> None:
    model = stand_in("qwen2", **lora)
    assert re.search(reason, step_on_the_stock_path(model, plan_of(), random_rows))


def test_adapters_that_wait_for_tokens_to_invoke_them(stand_in, plan_of) -> None:
    model = stand_in("qwen2", alora_invocation_tokens=[1, 2])
    assert TrainStep(model, plan_of()).why_stock == "its adapters are a variant of LoRA"


def test_a_second_adapter(stand_in, plan_of, random_rows) -> None:
    model = stand_in("qwen2")
    model.add_adapter("other", LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"]))
    model.set_adapter("default")
    assert "several" in step_on_the_stock_path(model, plan_of(), random_rows)


def test_another_family(plan_of, random_rows) -> None:
    config = GPT2Config(
        vocab_size=190, n_positions=64, n_embd=32, n_layer=2, n_head=2, bos_token_id=1,
        eos_token_id=2, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0,
    )  # fmt: skip
    adapters = LoraConfig(
        task_type="CAUSAL_LM", r=3, target_modules=["c_attn"], fan_in_fan_out=True
    )
    model = not_zero(get_peft_model(GPT2LMHeadModel(config), adapters))
    assert "gpt2 is not one of" in step_on_the_stock_path(model, plan_of(), random_rows)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"hidden_act": "gelu"}, "activation is gelu"),
        ({"attention_dropout": 0.5}, "drops out a share of 0.5"),
        ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "rotary"),
    ],
)
def test_a_known_family_that_computes_otherwise(change, reason) -> None:
    config = {"model_type": "llama", "hidden_act": "silu"}
    assert reason in str(read_shape(config | change))
