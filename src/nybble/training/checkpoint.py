"""Checkpoints: what is trained, optimiser state and position, as safetensors and JSON, no pickle.

    checkpoint-N/
      adapter_config.json, adapter_model.safetensors   PEFT's own format, fp32
      config.json, model.safetensors                   or a whole model, in transformers' format
      optimizer.safetensors                            as training/optimizer_state.py names it
      trainer_state.json                               the position, and what it belongs to
      manifest.json                                    sizes and checksums of the others

The order of the rows and the draws of dropout are functions of seed and step, so no state of a
random generator has to be kept.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file

from nybble.model.adapted import ADAPTER
from nybble.model.adapters import in_fp32
from nybble.model.whole import save_whole, take_weights
from nybble.runs.atomic import new_folder, write_json
from nybble.runs.errors import InputError
from nybble.runs.folder import checkpoints_in
from nybble.training.identity import check_identity
from nybble.training.manifest import damage, write_manifest
from nybble.training.optimizer_state import optimizer_tensors, restore_optimizer


@dataclass(frozen=True)
class TrainerState:
    """`step` steps are done, of `total_steps`, on the data with this fingerprint.

    `scaler` is the state of the loss scaling, empty where compute is not fp16. `identity`: what
    must not change until it is resumed.
    """

    step: int
    total_steps: int
    fingerprint: str
    scaler: dict[str, Any]
    identity: dict[str, Any] = field(default_factory=dict)


def save_adapter(model: PeftModel, folder: Path, base: str) -> None:
    """Write PEFT's two files into `folder`; `base` is what plain PEFT will load as base model."""
    config = model.peft_config[ADAPTER]
    config.base_model_name_or_path = base
    config.inference_mode = True
    config.save_pretrained(folder)
    config.inference_mode = False
    tensors = get_peft_model_state_dict(model, save_embedding_layers=False)
    save_file(
        # Copies: PEFT names a tied table that was trained whole twice, as embedding and head.
        {k: v.detach().to("cpu", copy=True).contiguous() for k, v in tensors.items()},
        folder / "adapter_model.safetensors",
    )


def save_trained(model: Any, folder: Path, base: str) -> None:
    """Write the adapters of `model` into `folder`, or all of it where it has none."""
    if isinstance(model, PeftModel):
        save_adapter(model, folder, base)
    else:
        save_whole(model, folder)


def save_checkpoint(
    checkpoints: Path,
    model: PeftModel,
    optimizer: torch.optim.Optimizer,
    state: TrainerState,
    base: str,
    keep: int,
) -> Path:
    """Write checkpoint-N whole or not at all, then remove all but the newest `keep`."""
    target = checkpoints / f"checkpoint-{state.step}"
    with new_folder(target) as scratch:
        save_trained(model, scratch, base)
        save_file(optimizer_tensors(model, optimizer), scratch / "optimizer.safetensors")
        write_json(scratch / "trainer_state.json", asdict(state))
        write_manifest(scratch)
    for old in checkpoints_in(checkpoints)[:-keep]:
        shutil.rmtree(old)
    return target


def load_checkpoint(
    folder: Path,
    model: Any,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any] | None = None,
) -> TrainerState:
    """Put the checkpoint's tensors into `model` and `optimizer`, in fp32; gives its position.

    Raises `InputError` when it is damaged, or of a training whose `identity` differs.
    """
    wrong = damage(folder)
    if wrong:
        raise InputError(
            f"{folder} is damaged: {wrong}.",
            "`nybble resume` takes the checkpoint before it.",
        )
    state: dict[str, Any] = json.loads((folder / "trainer_state.json").read_text("utf-8"))
    check_identity(str(folder), state.get("identity", {}), identity or {})
    moments = load_file(folder / "optimizer.safetensors")
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))
        in_fp32(model)
    else:
        take_weights(model, folder)
    restore_optimizer(model, optimizer, moments)
    return TrainerState(**state)
