"""AdamW in its variants, and its learning-rate schedule."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from nybble.data.batches import StepLoader
from nybble.recipe.train_part import TrainPart
from nybble.runs.errors import InputError


def make_optimizer(parameters: Iterable[nn.Parameter], part: TrainPart) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019) as `train.optim` names it, for fp32 parameters.

    The fused one's moments are fp32. bitsandbytes' 8-bit ones (Dettmers et al. 2022) hold moments
    of 4,096 values and more in a byte each; its paged ones in memory that a GPU and its host share.
    Raises `InputError` for paged ones on a CPU.
    """
    held = list(parameters)
    # As transformers has it: norms, biases and DoRA's lengths do not decay.
    flat = [parameter for parameter in held if parameter.ndim < 2]
    groups: list[dict[str, Any]] = [{"params": [p for p in held if p.ndim > 1]}]
    groups += [{"params": flat, "weight_decay": 0.0}] if flat else []
    options: dict[str, Any] = {
        "lr": part.learning_rate,
        "betas": (part.adam_beta1, part.adam_beta2),
        "eps": part.adam_epsilon,
        "weight_decay": part.weight_decay,
    }
    if part.optim == "adamw_torch_fused":
        return torch.optim.AdamW(groups, fused=True, **options)
    paged = part.optim.startswith("paged_")
    if paged and not any(parameter.is_cuda for parameter in held):
        unpaged = "adamw_8bit" if part.optim.endswith("8bit") else "adamw_torch_fused"
        raise InputError(
            f"train.optim = {part.optim!r}: on a CPU there is no memory to page out to.",
            f"Say train.optim={unpaged}.",
        )
    optimizer: torch.optim.Optimizer = _skipping()(
        groups, optim_bits=8 if part.optim.endswith("8bit") else 32, is_paged=paged, **options
    )
    return optimizer


def _skipping() -> Any:
    """bitsandbytes' AdamW, which skips a step whose gradient is not finite, as the fused one does.

    It takes seconds to import. To know whether to skip, it waits for the device: torch's fused
    kernel decides there.
    """
    import bitsandbytes

    class SkippingAdamW(bitsandbytes.optim.AdamW):  # type: ignore[misc]
        found_inf: torch.Tensor | None = None

        def step(self, closure: Any = None) -> Any:
            if self.found_inf is not None and bool(self.found_inf):
                return None
            return super().step(closure)

    return SkippingAdamW


def steps_of(value: float, total_steps: int) -> int:
    """A count of steps; a value under 1 is a share of all steps."""
    return math.ceil(value * total_steps) if value < 1 else round(value)


def total_steps(part: TrainPart, loader: StepLoader) -> int:
    """Optimiser steps of the whole training."""
    if part.max_steps > 0:
        return part.max_steps
    return max(1, loader.steps_in(part.num_train_epochs))


def save_points(part: TrainPart, loader: StepLoader, total: int) -> set[int]:
    """The counts of steps after which a checkpoint is written; the end writes the adapter."""
    if part.save_strategy == "no":
        return set()
    if part.save_strategy == "steps":
        every = steps_of(part.save_steps, total)
        return set(range(every, total, every)) if every else set()
    ends, epoch, done = set(), 0, loader.steps_of_epoch(0)
    while 0 < done < total:
        ends.add(done)
        epoch += 1
        done += loader.steps_of_epoch(epoch)
    return ends


def learning_rate(step: int, total: int, part: TrainPart) -> float:
    """The rate of step `step`, counted from 0, as transformers' schedules have it.

    One difference: warm-up begins at 1/warmup of the peak, since a first step at rate 0 learns
    nothing.
    """
    warmup = min(steps_of(part.warmup_steps, total), total)
    if step < warmup:
        return part.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    factor = {
        "linear": 1.0 - done,
        "cosine": 0.5 * (1.0 + math.cos(math.pi * done)),
        "constant_with_warmup": 1.0,
    }[part.lr_scheduler_type]
    return part.learning_rate * factor
