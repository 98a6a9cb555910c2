"""The training loop, over optimiser steps.

Nothing waits for the device inside a step: a step that is not finite is skipped by fused AdamW
itself, and its loss is read one step late. What runs out of memory is done again, in less.
"""

import math
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from nybble.data.batches import StepBatch, StepLoader, row_lengths
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.recipe.train_part import TrainPart
from nybble.runs.folder import RunFolder
from nybble.training.best import Best
from nybble.training.checkpoint import TrainerState, load_best, load_checkpoint, save_checkpoint
from nybble.training.identity import check_same_training
from nybble.training.ledger import Ledger, TrainResult
from nybble.training.metrics import MetricsLog
from nybble.training.not_finite import Decode, not_finite_error, write_rows
from nybble.training.optimizer import (
    learning_rate,
    save_points,
    steps_of,
    total_steps,
)
from nybble.training.optimizer_state import allocate
from nybble.training.pending import Pending
from nybble.training.recovery import Room
from nybble.training.signals import StopAsked, StopNow
from nybble.training.spikes import Spikes
from nybble.training.update import Update
from nybble.training.watchers import Watcher, watched_by

# The task's own metrics after so many steps, by their names.
Judge = Callable[[int], Mapping[str, float]]


class Trainer:
    """Trains the adapters of `model` on the steps of `loader`, into `folder`.

    `judge` gives the task's own metrics, which are measured with the validation loss.
    """

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
        judge: Judge | None = None,
    ) -> None:
        self.identity = dict(identity or {})
        self.decode = decode
        self.judge = judge
        self.model = model
        self.train_step = train_step
        self.leads = train_step.team.leads
        self.loader = loader
        self.validation = validation
        self.part = part
        self.folder = folder
        self.fingerprint = fingerprint
        self.base = base
        self.watchers = watchers
        self.total = total_steps(part, loader)
        fp16 = train_step.dtype == torch.float16
        self.update = Update(trainable_parameters(model).values(), part, train_step.device, fp16)
        layers = int(getattr(model.config, "num_hidden_layers", 0) or 0)
        longest = max(row_lengths(loader.rows), default=1)
        self.room = Room(train_step, layers, longest, self._tightened)
        self.log = MetricsLog(folder.metrics, watchers)
        self.ledger = Ledger(self.log, steps_of(part.logging_steps, self.total), self.total)
        self.stop = StopAsked(heeds=False)
        self.pending: Pending | None = None
        self.done = 0
        self.saved: int | None = None
        self.owes_evaluation = False
        self.best = Best()
        self.validation_loss: float | None = None

    def run(self, checkpoint: Path | None = None) -> TrainResult:
        """Train from the start, or from `checkpoint`, to the end."""
        if checkpoint:
            self._restore(checkpoint)
        self.ledger.begin(self.done)
        watched = watched_by(self.watchers, self.total, self.done)
        with watched, StopAsked(self.leads) as self.stop:
            if checkpoint:
                self.log.add(step=self.done, resumed=True)
            try:
                self.room.do(self.done, allocate, self.update.optimizer)
                self._train()
            except StopNow:
                # A step or an evaluation under way is given up: it left no trace.
                self._settle_pending()
                self._save()
                self.stop.leave(self.done)
        adapter_step = self._take_best()
        return self.ledger.result(self.done, adapter_step, self.validation_loss)

    def _train(self) -> None:
        """Train on from where it stands."""
        evaluations = steps_of(self.part.eval_steps, self.total)
        saves = save_points(self.part, self.loader, self.total)
        if self.owes_evaluation:
            self._evaluate()
        self.ledger.pause()
        for step, batch in enumerate(self.loader.steps(self.done, self.total), self.done):
            if self.best.over(self.part):
                break
            if self.update.fp16:  # its scale is waited for anyhow
                self._settle_pending()
            launched = self.room.do(step + 1, self._launch, step, batch)
            self._settle_pending()
            self.pending, self.done = launched, step + 1
            at_eval = self.done == self.total or (evaluations and self.done % evaluations == 0)
            at_save = self.done in saves or self.stop.signal is not None
            if at_eval or at_save:
                self._settle_pending()
            if at_eval:
                self._evaluate()
            if at_save or self._is_best_to_keep():
                self.room.do(self.done, self._save)
            if self.stop.signal is not None:
                self._save()
                self.stop.leave(self.done)
        self._settle_pending()

    def _launch(self, step: int, batch: StepBatch) -> Pending:
        """Queue forward, backward and the update that follows."""
        rate = learning_rate(step, self.total, self.part)
        with self.stop.breaking(signal.SIGTERM):
            loss = self.train_step(batch, step, self.update.loss_scale)
        norm = self.update(loss, rate)
        return Pending(step + 1, loss, norm, batch, rate)

    def _settle_pending(self) -> None:
        """Read the numbers of the step that is under way, if any, and write them down."""
        if self.pending is None:
            return
        pending, self.pending = self.pending, None
        loss, norm = self.ledger.settle(pending)
        if self.part.on_nan == "stop" and not math.isfinite(loss + norm):
            self._refuse(pending, loss, norm)

    def _refuse(self, pending: Pending, loss: float, norm: float) -> None:
        """Stop at a step that is not finite; a gradient that overflowed fp16 is no reason to.

        Neither this step nor one after it has changed anything: what was before is saved.
        """
        if self.update.fp16 and math.isfinite(loss):
            return
        write_rows(self.folder, pending.step, pending.batch, self.loader.rows, self.decode)
        self.done = pending.step - 1
        self._save()
        warming_up = pending.step <= steps_of(self.part.warmup_steps, self.total)
        raise not_finite_error(pending.step, loss, norm, self.part, warming_up, self.update.fp16)

    def _evaluate(self) -> None:
        """Measure what the recipe measures; a signal gives it up, to be done after a resume."""
        if not self.validation and not self.judge:
            return
        self.owes_evaluation = True
        values: dict[str, float] = {}
        with self.stop.breaking(signal.SIGINT, signal.SIGTERM):
            if self.validation:
                evaluate = self.train_step.evaluate
                values["validation_loss"] = self.room.do(self.done, evaluate, self.validation)
            if self.judge:
                measured = self.room.do(self.done, self.judge, self.done) if self.leads else {}
                values |= self.train_step.team.shared(dict(measured))
        self.owes_evaluation = False
        self.validation_loss = values.get("validation_loss")
        self.log.add(step=self.done, **values)
        self.best = self.best.after(self.done, values, self.part)
        self.ledger.pause()

    def _is_best_to_keep(self) -> bool:
        """Whether this step is the best so far, and more steps follow that may be worse."""
        wanted = self.part.load_best_model_at_end and self.best.step == self.done
        return wanted and self.done < self.total

    def _save(self) -> None:
        """Write a checkpoint of the steps that are done, unless there is one, or nothing to keep.

        The best one is kept besides the newest.
        """
        if not self.leads or self.done in (0, self.saved):
            return
        best = self.best.step if self.part.load_best_model_at_end else 0
        state = TrainerState(
            self.done, self.total, self.fingerprint, self.update.scaler_state(), self.identity,
            best=asdict(self.best), best_checkpoint=best, recent_losses=self.ledger.spikes.recent,
            owes_evaluation=self.owes_evaluation, tightened=self.room.state(),
        )  # fmt: skip
        checkpoint = save_checkpoint(
            self.folder.checkpoints, self.model, self.update.optimizer, state, self.base,
            self.part.save_total_limit,
        )  # fmt: skip
        self.saved = self.done
        for watcher in self.watchers:
            watcher.saved(self.done, checkpoint)

    def _restore(self, checkpoint: Path) -> None:
        state = load_checkpoint(checkpoint, self.model, self.update.optimizer, self.identity)
        check_same_training(
            str(checkpoint), (state.fingerprint, state.total_steps), (self.fingerprint, self.total)
        )
        self.update.restore_scaler(state.scaler)
        self.done = self.saved = state.step
        self.best = Best(**state.best)
        self.ledger.spikes = Spikes(state.recent_losses)
        self.owes_evaluation = state.owes_evaluation
        self.room.restore(state.tightened)

    def _take_best(self) -> int:
        """Put the best checkpoint's adapters on the model where asked; the step they are of."""
        wanted = self.part.load_best_model_at_end and self.best.step not in (0, self.done)
        if not wanted or not self.leads:
            return self.done
        if not load_best(self.folder.checkpoints, self.best.step, self.model):
            return self.done
        self.validation_loss = self.best.values.get("validation_loss")
        self.log.add(step=self.done, adapter_step=self.best.step)
        return self.best.step

    def _tightened(self, step: int, plan: str) -> None:
        """Memory ran out in `step`, which is done again as `plan` says."""
        self.update.forget_failed()
        self.log.add(step=step, out_of_memory=plan)
        print(f"memory     ran out at step {step:,}: again with {plan}", flush=True)
