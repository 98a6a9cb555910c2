"""A model that is trained whole, without adapters: every weight in fp32 (law 3).

What is trained are the master weights: where compute is in 16 bits, autocast rounds them anew in
each forward, and an update that is too small for 16 bits is not lost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from nybble.model.load import load_base
from nybble.planner.plan import Plan
from nybble.recipe.schema import ModelPart
from nybble.runs.errors import InputError


def load_whole(base: Path, part: ModelPart, plan: Plan, trained: Path | None = None) -> Any:
    """The model in `base`, all of it trainable, with the weights in `trained` where it is named.

    Raises `InputError` for a base that is stored quantised.
    """
    model = load_base(base, part, replace(plan, compute_dtype="float32"))
    if not all(parameter.is_floating_point() for parameter in model.parameters()):
        raise InputError(
            f"{part.base} is quantised: its weights cannot be trained, only adapters on them.",
            "Take the original model, or leave out lora: null.",
        )
    model.requires_grad_(True)
    if trained:
        take_weights(model, trained)
    return model


def save_whole(model: Any, folder: Path) -> None:
    """Write config.json and model.safetensors into `folder`, every weight as it is."""
    model.config.use_cache = True  # training alone does without
    model.save_pretrained(folder, max_shard_size="1TB")
    model.config.use_cache = False


def take_weights(model: Any, folder: Path) -> None:
    """Put the weights of the model saved in `folder` into `model`."""
    model.load_state_dict(type(model).from_pretrained(folder, dtype=torch.float32).state_dict())


@contextmanager
def untuned(model: Any, base: Path, part: ModelPart, plan: Plan) -> Iterator[None]:
    """`model` is its base while this lasts: without its adapters, or with the weights in `base`.

    The trained weights of a whole model wait in the host's memory.
    """
    if isinstance(model, PeftModel):
        with model.disable_adapter():
            yield
        return
    tuned = {name: p.detach().to("cpu", copy=True) for name, p in model.named_parameters()}
    model.load_state_dict(load_whole(base, part, replace(plan, device="cpu")).state_dict())
    try:
        yield
    finally:
        model.load_state_dict(tuned, strict=False)
