"""The training loop, over optimiser steps.

Nothing waits for the device inside a step: a step that is not finite is skipped by fused AdamW
itself, and its loss is read one step late.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from nybble.data.batches import StepBatch, StepLoader
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.recipe.train_part import TrainPart
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.training.checkpoint import TrainerState, load_checkpoint, save_checkpoint
from nybble.training.metrics import MetricsLog
from nybble.training.not_finite import Decode, not_finite_error, write_rows
from nybble.training.optimizer import (
    learning_rate,
    make_optimizer,
    save_points,
    steps_of,
    total_steps,
)
from nybble.training.signals import StopAsked
from nybble.training.watchers import Watcher, watched_by


@dataclass(frozen=True)
class TrainResult:
    """`validation_loss` is None where there are no validation rows.

    `padded_share`: of the tokens computed, those that were padding.
    """

    steps: int
    seconds: float
    tokens: int
    train_loss: float
    validation_loss: float | None
    padded_share: float


class Pending:
    """A step whose loss and gradient norm are on their way from the device.

    They are waited for by an event of their own: a plain `float(loss)` would wait for the step
    that was queued after it, too.
    """

    def __init__(
        self, step: int, loss: Tensor, grad_norm: Tensor, batch: StepBatch, rate: float
    ) -> None:
        self.step, self.batch, self.rate = step, batch, rate
        self._numbers = torch.stack([loss, grad_norm]).to("cpu", non_blocking=True)
        self._arrived = torch.cuda.Event() if loss.is_cuda else None  # type: ignore[no-untyped-call]
        if self._arrived:
            self._arrived.record()

    def numbers(self) -> tuple[float, float]:
        """Loss and gradient norm, as soon as they are there."""
        if self._arrived:
            self._arrived.synchronize()
        loss, grad_norm = self._numbers.tolist()
        return loss, grad_norm


class Trainer:
    """Trains the adapters of `model` on the steps of `loader`, into `folder`."""

    def __init__(
        self,
        model: PeftModel,
        train_step: TrainStep,
        loader: StepLoader,
        validation: list[StepBatch],
        part: TrainPart,
        folder: RunFolder,
        fingerprint: str,
        base: str,
        watchers: Sequence[Watcher] = (),
        identity: Mapping[str, Any] | None = None,
        decode: Decode | None = None,
    ) -> None:
        self.identity = dict(identity or {})
        self.decode = decode
        self.model = model
        self.train_step = train_step
        self.loader = loader
        self.validation = validation
        self.part = part
        self.folder = folder
        self.fingerprint = fingerprint
        self.base = base
        self.watchers = watchers
        self.parameters = list(trainable_parameters(model).values())
        self.optimizer = make_optimizer(self.parameters, part)
        self.total = total_steps(part, loader)
        self.scaler = torch.amp.GradScaler(
            train_step.device, enabled=train_step.dtype == torch.float16
        )
        self.settled = time.monotonic()
        self.tokens = self.computed_tokens = self.padded_tokens = 0
        self.train_loss = float("nan")

    def run(self, checkpoint: Path | None = None) -> TrainResult:
        """Train from the start, or from `checkpoint`, to the end."""
        start = self._restore(checkpoint) if checkpoint else 0
        log = MetricsLog(self.folder.metrics, start, self.watchers)
        began = self.settled = time.monotonic()
        validation_loss: float | None = None
        pending: Pending | None = None
        eval_every = steps_of(self.part.eval_steps, self.total)
        saves = save_points(self.part, self.loader, self.total)
        heeds = self.train_step.team.leads
        watched = watched_by(self.watchers, self.total, start)
        with watched, StopAsked(heeds) as stop:
            for step, batch in enumerate(self.loader.steps(start, self.total), start):
                launched = self._launch(step, batch)
                if pending:
                    self._settle(pending, log)
                pending = launched
                done = step + 1
                at_eval = done == self.total or (eval_every and done % eval_every == 0)
                at_save = done in saves or stop.signal is not None
                if at_eval or at_save:
                    self._settle(launched, log)
                    pending = None
                if at_eval and self.validation:
                    validation_loss = self.train_step.evaluate(self.validation)
                    log.add(step=done, validation_loss=validation_loss)
                    self.settled = time.monotonic()
                if at_save:
                    self._save(done)
                    if stop.signal is not None:
                        stop.leave(done)
        seconds = time.monotonic() - began
        padded = self.padded_tokens / max(1, self.computed_tokens)
        return TrainResult(
            self.total, seconds, self.tokens, self.train_loss, validation_loss, padded
        )

    def _launch(self, step: int, batch: StepBatch) -> Pending:
        """Queue forward, backward, clipping and AdamW; a gradient that is not finite is skipped."""
        rate = learning_rate(step, self.total, self.part)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = self.train_step(batch, step, self.scaler.get_scale())
        self.scaler.scale(loss)  # makes the scaler's own tensors, which unscale_ needs
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.part.max_grad_norm)
        if not self.scaler.is_enabled():
            self.optimizer.found_inf = (~torch.isfinite(norm)).float()  # type: ignore[attr-defined]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return Pending(step + 1, loss, norm, batch, rate)

    def _settle(self, pending: Pending, log: MetricsLog) -> None:
        """Read a step's numbers and write them down."""
        loss, norm = pending.numbers()
        now = time.monotonic()
        seconds, self.settled = now - self.settled, now
        self.tokens += pending.batch.tokens
        self.computed_tokens += pending.batch.computed_tokens
        self.padded_tokens += pending.batch.padded_tokens
        self.train_loss = loss
        values = {
            "step": pending.step,
            "loss": loss,
            "learning_rate": pending.rate,
            "grad_norm": norm,
            "tokens": pending.batch.tokens,
            "scored_tokens": pending.batch.scored_tokens,
            "padded_tokens": pending.batch.padded_tokens,
            "step_seconds": round(seconds, 4),
        }
        if self.train_step.device == "cuda":
            values["peak_bytes"] = torch.cuda.max_memory_reserved()
        log.add(**values)
        if not math.isfinite(loss) and self.part.on_nan == "stop":
            write_rows(self.folder, pending.step, pending.batch, self.loader.rows, self.decode)
            warming_up = pending.step <= steps_of(self.part.warmup_steps, self.total)
            fp16 = self.scaler.is_enabled()
            raise not_finite_error(pending.step, loss, self.part, warming_up, fp16)

    def _save(self, step: int) -> None:
        if not self.train_step.team.leads:
            return
        state = TrainerState(
            step, self.total, self.fingerprint, self.scaler.state_dict(), self.identity
        )
        checkpoint = save_checkpoint(
            self.folder.checkpoints,
            self.model,
            self.optimizer,
            state,
            self.base,
            self.part.save_total_limit,
        )
        for watcher in self.watchers:
            watcher.saved(step, checkpoint)

    def _restore(self, checkpoint: Path) -> int:
        state = load_checkpoint(checkpoint, self.model, self.optimizer, self.identity)
        for what, then, now in (
            ("training rows", state.fingerprint[:12], self.fingerprint[:12]),
            ("number of steps", state.total_steps, self.total),
        ):
            if then != now:
                raise InputError(
                    f"{checkpoint}: the {what} changed since ({then} then, {now} now).",
                    "Restore what it was trained on, or begin anew with `nybble run`.",
                )
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state.scaler)
        return state.step
