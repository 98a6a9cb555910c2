"""LoRA adapters on a base model, through PEFT, in fp32 always."""

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils import ModulesToSaveWrapper
from torch import nn

from nybble.model.adapted import (
    ADAPTER,
    refuse_plain_lora,
    refuse_quantised_whole,
    refuse_tables_trained_twice,
    refuse_tied_adapters,
    refuse_what_was_left_out,
)
from nybble.planner.architecture import ATTENTION
from nybble.recipe.schema import LoraPart
from nybble.runs.errors import InputError


def attach_adapters(
    model: Any, part: LoraPart, seed: int, new_ids: Sequence[int] = ()
) -> PeftModel:
    """New adapters (Hu et al. 2021): A random by `seed`, B zero, so the model starts unchanged.

    The rows `new_ids` of embedding and head are trained too.
    """
    targets = list(ATTENTION) if part.target_modules == "attention" else part.target_modules
    if new_ids:
        refuse_tables_trained_twice(part)
    refuse_quantised_whole(model, part)
    tied = refuse_tied_adapters(model, part)
    config = LoraConfig(
        r=part.r,
        lora_alpha=part.lora_alpha,
        lora_dropout=part.lora_dropout,
        target_modules=targets,
        use_rslora=part.variant == "rslora",
        use_dora=part.variant == "dora",
        modules_to_save=list(part.modules_to_save) or None,
        trainable_token_indices=trained_rows(model, new_ids) or None,
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


def trained_rows(model: Any, ids: Sequence[int]) -> dict[str, list[int]]:
    """`ids` by the name of the table that they are rows of: PEFT finds a tied head by itself."""
    if not ids:
        return {}
    tied = getattr(model.config, "tie_word_embeddings", False)
    tables = [model.get_input_embeddings(), *([] if tied else [model.get_output_embeddings()])]
    names = {id(module): name.rpartition(".")[2] for name, module in model.named_modules()}
    return {names[id(table)]: list(ids) for table in tables}


def load_adapters(model: Any, folder: Path, new_ids: Sequence[int] = ()) -> PeftModel:
    """The adapters saved in `folder`, trainable. Their own rank and targets hold.

    Raises `InputError` when they were made for another model, or without the tokens `new_ids`.
    """
    try:
        adapted = PeftModel.from_pretrained(model, folder, is_trainable=True)
    except (ValueError, RuntimeError, IndexError) as error:
        if not re.search("size mismatch|not found in the base model|out of bounds", str(error)):
            raise
        raise InputError(
            f"The adapter in {folder} does not fit the model.",
            "Name the model that it was trained on as model.base: its adapter_config.json says so; "
            "and where tokens were new to that, the same model.new_tokens.",
        ) from None
    config = adapted.peft_config[ADAPTER]
    if not isinstance(config, LoraConfig):
        raise InputError(
            f"The adapter in {folder} is of the kind {config.peft_type.value}, not LoRA.",
            "Name a LoRA adapter, or begin with new ones.",
        )
    learnt = config.trainable_token_indices or {}
    if not set(new_ids) <= set(chain(*(learnt.values() if isinstance(learnt, dict) else [learnt]))):
        raise InputError(
            f"The adapter in {folder} has not learnt all of model.new_tokens, and would not.",
            "Name those that it was trained with, or leave out model.adapter.",
        )
    refuse_plain_lora(adapted, str(folder))
    return in_fp32(adapted)


def without_adapters(model: PeftModel) -> Any:
    """The base of `model`, as it was before: for other adapters, or to be asked itself."""
    own = {
        name: module.original_module
        for name, module in model.get_base_model().named_modules()
        if isinstance(module, ModulesToSaveWrapper)
    }
    base = model.unload()
    # PEFT leaves the modules that were trained whole in the place of the base's own.
    for name, module in own.items():
        base.set_submodule(name, module)
    return base


def in_fp32(model: PeftModel) -> PeftModel:
    """`model` with every trainable parameter in fp32 (law 3), whatever it was loaded as."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Name to parameter, in the model's order: what the optimiser sees and a checkpoint holds."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}
