"""AdamW and its learning-rate schedule."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from nybble.data.batches import StepLoader
from nybble.recipe.schema import TrainPart


def make_optimizer(parameters: Iterable[nn.Parameter], part: TrainPart) -> torch.optim.AdamW:
    """Fused AdamW (Loshchilov & Hutter 2019); its moments are fp32 because the parameters are."""
    return torch.optim.AdamW(
        parameters,
        lr=part.learning_rate,
        betas=(part.adam_beta1, part.adam_beta2),
        eps=part.adam_epsilon,
        weight_decay=part.weight_decay,
        fused=True,
    )


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
