"""What is written down of the steps of a training, and what they add up to."""

import math
import time
from dataclasses import dataclass

from nybble.training.metrics import MetricsLog
from nybble.training.pending import Pending, line_of
from nybble.training.spikes import Spikes


@dataclass(frozen=True)
class TrainResult:
    """Of `steps` done, the adapter is what `adapter_step` of them had made.

    `validation_loss` is that adapter's, None where there are no validation rows. `padded_share`: of
    the tokens computed, those that were padding. `stopped_early`: patience was at its end.
    """

    steps: int
    seconds: float
    tokens: int
    train_loss: float
    validation_loss: float | None
    padded_share: float
    adapter_step: int
    stopped_early: bool


class Ledger:
    """Writes a line to `log` each `every` steps and at the last, and wherever something is amiss.

    `last`: the step of all steps. The seconds of a step are those since the one before was read.
    """

    def __init__(self, log: MetricsLog, every: int, last: int) -> None:
        self.log = log
        self.every = every
        self.last = last
        self.spikes = Spikes()
        self.began = self.settled = time.monotonic()
        self.tokens = self.computed_tokens = self.padded_tokens = 0
        self.loss = float("nan")

    def begin(self, step: int) -> None:
        """From here on a training goes on that has done `step` steps."""
        self.log.begin(step)
        self.began = self.settled = time.monotonic()

    def pause(self) -> None:
        """What was done until now is no step's time."""
        self.settled = time.monotonic()

    def settle(self, pending: Pending) -> tuple[float, float]:
        """Read a step's loss and gradient norm, and write them down."""
        loss, norm = pending.numbers()
        now = time.monotonic()
        seconds, self.settled = now - self.settled, now
        self.tokens += pending.batch.tokens
        self.computed_tokens += pending.batch.computed_tokens
        self.padded_tokens += pending.batch.padded_tokens
        self.loss = loss
        values = line_of(pending, loss, norm, seconds)
        if self.spikes.add(loss):
            values["spike"] = True
        if not (math.isfinite(loss) and math.isfinite(norm)):
            values["skipped"] = True
        due = pending.step % self.every == 0 or pending.step == self.last
        if due or values.keys() & {"spike", "skipped"}:
            self.log.add(**values)
        return loss, norm

    def result(self, steps: int, adapter_step: int, validation_loss: float | None) -> TrainResult:
        """What the training came to after `steps` steps."""
        return TrainResult(
            steps=steps,
            seconds=time.monotonic() - self.began,
            tokens=self.tokens,
            train_loss=self.loss,
            validation_loss=validation_loss,
            padded_share=self.padded_tokens / max(1, self.computed_tokens),
            adapter_step=adapter_step,
            stopped_early=steps < self.last,
        )
