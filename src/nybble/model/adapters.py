"""LoRA adapters on a base model, through PEFT, in fp32 always."""

import re
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from nybble.model.adapted import refuse_tied_adapters, refuse_what_was_left_out
from nybble.planner.architecture import ATTENTION
from nybble.recipe.schema import LoraPart
from nybble.runs.errors import InputError

ADAPTER = "default"


def attach_adapters(model: Any, part: LoraPart, seed: int) -> PeftModel:
    """New adapters (Hu et al. 2021): A random by `seed`, B zero, so the model starts unchanged."""
    targets = list(ATTENTION) if part.target_modules == "attention" else part.target_modules
    tied = refuse_tied_adapters(model, part)
    config = LoraConfig(
        r=part.r,
        lora_alpha=part.lora_alpha,
        lora_dropout=part.lora_dropout,
        target_modules=targets,
        use_rslora=part.variant == "rslora",
        use_dora=part.variant == "dora",
        modules_to_save=list(part.modules_to_save) or None,
        ensure_weight_tying=tied,
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    try:
        adapted = get_peft_model(model, config)
    except ValueError as error:
        if "not found in the base model" not in str(error):
            raise InputError(
                f"lora.target_modules = {part.target_modules!r}: {error}",
                "Name the modules to adapt in a list, such as lora.target_modules=[q_proj,v_proj].",
            ) from None
        linears = {
            n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, nn.Linear)
        }
        raise InputError(
            f"lora.target_modules = {part.target_modules!r}: the model has no such modules.",
            f"It has {', '.join(sorted(linears))}; all-linear takes all but the head.",
        ) from None
    refuse_what_was_left_out(adapted, part)
    return in_fp32(adapted)


def load_adapters(model: Any, folder: Path) -> PeftModel:
    """The adapters saved in `folder`, trainable. Their own rank and targets hold.

    Raises `InputError` when they were made for another model.
    """
    try:
        return in_fp32(PeftModel.from_pretrained(model, folder, is_trainable=True))
    except (ValueError, RuntimeError) as error:
        if not re.search("size mismatch|not found in the base model", str(error)):
            raise
        raise InputError(
            f"The adapter in {folder} does not fit the model.",
            "Name the model that it was trained on as model.base: its adapter_config.json says so.",
        ) from None


def in_fp32(model: PeftModel) -> PeftModel:
    """`model` with every trainable parameter in fp32 (law 3), whatever it was loaded as."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Name to parameter, in the model's order: what the optimiser sees and a checkpoint holds."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
