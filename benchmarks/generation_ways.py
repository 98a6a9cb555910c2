"""The model, the prompts and the two ways of `benchmarks/generation.py`."""

import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from nybble.generation import prefill
from nybble.generation.greedy import generate_answers
from nybble.generation.sampling import Sampling
from nybble.model.adapters import attach_adapters, trainable_parameters
from nybble.model.device import current_device
from nybble.model.load import load_base
from nybble.pipeline.stage import make_stage
from nybble.planner.plan import Plan, make_plan
from nybble.recipe import Recipe, load_recipe
from nybble.recipe.schema import DataPart, LoraPart, ModelPart

Ids = list[int]


class NoStop:
    """A tokenizer whose answers are ids, and none of them ends one: both ways make as many."""

    eos_token_id = pad_token_id = chat_template = None

    def decode(self, ids: Ids, **_: Any) -> str:
        return " ".join(map(str, ids))


def load(folder: Path, quantization: str, dtype: str | None) -> tuple[Any, Plan]:
    """The model as `nybble evaluate` loads it, with adapters that do something, and its plan."""
    part = ModelPart.model_validate({"base": str(folder), "quantization": quantization})
    recipe = Recipe(name="generation", model=part, data=DataPart(train="none"))
    config = json.loads((folder / "config.json").read_text())
    plan = replace(make_plan(recipe, config, current_device(), longest=256), recompute_layers=0)
    plan = replace(plan, compute_dtype=dtype or plan.compute_dtype)
    model = attach_adapters(load_base(folder, part, plan), LoraPart(r=32), seed=0)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in trainable_parameters(model).items():
        if "lora_B" in name:
            drawn = torch.randn(parameter.shape, generator=generator) * 0.02
            parameter.data.copy_(drawn)
    model.generation_config.eos_token_id = None
    return model.eval(), plan


def random_weights(source: Path, scratch: Path) -> Path:
    """A model of the shape that `source`/config.json says."""
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(source)
    with torch.device(current_device().kind):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(scratch)
    return scratch


def demo_prompts(count: int) -> list[Ids]:
    stage = make_stage(load_recipe("price-demo", ["data.limit=1500", "data.test=500"]))
    ids: list[Ids] = stage.renderer.prompt_ids(
        [pair.prompt for pair in stage.prepared.splits.test[:count]]
    )
    return ids


def random_prompts(count: int, vocabulary: int) -> list[Ids]:
    draw = random.Random(0)
    lengths = [min(126, max(40, int(draw.gauss(101, 18)))) for _ in range(count)]
    return [[draw.randrange(10, vocabulary) for _ in range(length)] for length in lengths]


class Bench:
    """One model and its prompts; every answer is `new` tokens long."""

    def __init__(self, model: Any, plan: Plan, prompts: list[Ids], new: int) -> None:
        self.model, self.plan, self.prompts = model, plan, prompts
        self.device = next(p.device for p in model.parameters() if p.device.type == plan.device)
        self.sampling = Sampling(max_new_tokens=new)
        self.dtype = getattr(torch, plan.compute_dtype)

    def autocast(self) -> Any:
        return torch.autocast(
            self.plan.device, self.dtype, enabled=self.dtype != torch.float32
        )  # as nybble's callers do

    def ours(self) -> list[Ids]:
        found: list[Ids] = [[] for _ in self.prompts]

        def keep(place: int, text: str) -> None:
            found[place] = [int(token) for token in text.split()]

        with self.autocast():
            generate_answers(self.model, NoStop(), self.prompts, self.sampling,
                             self.plan.micro_batch_tokens, keep)  # fmt: skip
        return found

    @torch.no_grad()
    def alone(self, prompt: Ids) -> Ids:
        ids = torch.tensor([prompt], device=self.device)
        out = self.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids),
                                  do_sample=False, pad_token_id=0,
                                  max_new_tokens=self.sampling.max_new_tokens)  # fmt: skip
        new: Ids = out[0, len(prompt) :].tolist()
        return new

    @torch.no_grad()
    def last_logits(self, prompts: list[Ids]) -> torch.Tensor:
        """Logits [prompts, vocabulary] after each prompt, all in one forward."""
        with self.autocast():
            return prefill.next_logits(self.model, prompts, 0)

    def now(self) -> float:
        if self.plan.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()
