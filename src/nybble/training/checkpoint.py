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
from nybble.runs.atomic import new_folder, remove_folder, write_json
from nybble.runs.errors import InputError
from nybble.runs.folder import checkpoints_in, step_of
from nybble.training.identity import check_identity
from nybble.training.manifest import damage, write_manifest
from nybble.training.optimizer_state import optimizer_tensors, restore_optimizer


@dataclass(frozen=True)
class TrainerState:
    """`step` steps are done, of `total_steps`, on the data with this fingerprint.

    `scaler` is the state of the loss scaling, empty where compute is not fp16. `identity`: what
    must not change until it is resumed. `best`: what is known of the evaluations, as
    `training.best` has it; `best_checkpoint` the step of the checkpoint to end with, 0 for none.
    `recent_losses` are those that a spike would stand out from. `owes_evaluation`: a signal came
    before the evaluation of `step` was through. `tightened`: the plan, where memory had run out.
    """

    step: int
    total_steps: int
    fingerprint: str
    scaler: dict[str, Any]
    identity: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    best_checkpoint: int = 0
    recent_losses: list[float] = field(default_factory=list)
    owes_evaluation: bool = False
    tightened: dict[str, Any] = field(default_factory=dict)


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


def take_trained(model: Any, folder: Path) -> None:
    """Put what `save_trained` wrote into `folder` on `model`, in fp32."""
    if isinstance(model, PeftModel):
        set_peft_model_state_dict(model, load_file(folder / "adapter_model.safetensors"))
        in_fp32(model)
    else:
        take_weights(model, folder)


def save_checkpoint(
    checkpoints: Path,
    model: Any,
    optimizer: torch.optim.Optimizer,
    state: TrainerState,
    base: str,
    keep: int,
) -> Path:
    """Write checkpoint-N whole or not at all, then remove all but the newest `keep`.

    The best one of each that is kept is kept, too.
    """
    target = checkpoints / f"checkpoint-{state.step}"
    with new_folder(target) as scratch:
        save_trained(model, scratch, base)
        save_file(optimizer_tensors(model, optimizer), scratch / "optimizer.safetensors")
        write_json(scratch / "trainer_state.json", asdict(state))
        write_manifest(scratch)
    # Those beyond this step are of a training that was resumed before them.
    found = [path for path in checkpoints_in(checkpoints) if step_of(path) <= state.step]
    kept = set(found[-keep:]) | {best_of(path) for path in found[-keep:]}
    for old in set(checkpoints_in(checkpoints)) - kept:
        remove_folder(old)
    return target


def best_of(checkpoint: Path) -> Path:
    """The checkpoint that was the best when `checkpoint` was written; it may be gone."""
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
        return checkpoint.with_name(f"checkpoint-{state['best_checkpoint']}")
    except (OSError, ValueError, KeyError, TypeError):
        return checkpoint


def load_best(checkpoints: Path, step: int, model: Any) -> bool:
    """Put what checkpoint `step` trained on `model`; tells in a line where it is damaged."""
    folder = checkpoints / f"checkpoint-{step}"
    wrong = damage(folder)
    if wrong:
        print(f"damaged    {folder}, the best, is left out: {wrong}. The last adapters are kept.")
        return False
    take_trained(model, folder)
    return True


def check_recipe(folder: Path, identity: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a good checkpoint; `InputError` if it is of a training of another identity."""
    state: dict[str, Any] = json.loads((folder / "trainer_state.json").read_text("utf-8"))
    check_identity(str(folder), state.get("identity", {}), identity)
    return state


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
    state = check_recipe(folder, identity or {})
    moments = load_file(folder / "optimizer.safetensors")
    take_trained(model, folder)
    restore_optimizer(model, optimizer, moments)
    return TrainerState(**state)
