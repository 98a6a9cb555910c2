"""What a training's history says about it, in plain words and with the numbers.

Pure functions over the lines of `metrics.jsonl`. Each finds one symptom or None.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nybble.runs.atomic import read_json_lines

Line = Mapping[str, float | int | str | None]

# Validation losses above the best one, and by how much the last of them, to be called rising.
CHECKS_ABOVE_BEST, RISE = 2, 0.01
# Losses compared with the first ones, and the least share that they must have fallen by.
FIRST_STEPS, RECENT_STEPS, LEAST_FALL = 20, 40, 0.02
CLIPPED_STEPS = 100
# Looked for after each validation or spike and each so many lines: a look reads it all.
LOOK_EVERY = 50


@dataclass(frozen=True)
class Symptom:
    """`what` is seen, with its evidence, and what to do about it."""

    kind: str
    what: str
    advice: str


def overfitting(history: Sequence[Line], max_grad_norm: float) -> Symptom | None:
    """Validation loss rises, check after check, while training loss falls."""
    checks = _finite(history, "validation_loss")
    if len(checks) <= CHECKS_ABOVE_BEST:
        return None
    best = min(range(len(checks)), key=lambda i: checks[i][1])
    since = [loss for _, loss in checks[best:]]
    lowest, last = since[0], since[-1]
    rising = len(since) > CHECKS_ABOVE_BEST and since[-1] >= since[-2] > lowest
    if not rising or last <= lowest * (1 + RISE):
        return None
    best_step, last_step = checks[best][0], checks[-1][0]
    train = _finite(history, "loss")
    span = max(1, (last_step - best_step) // 2)
    before = [loss for step, loss in train if best_step - span < step <= best_step]
    after = [loss for step, loss in train if last_step - span < step <= last_step]
    if not before or not after or statistics.fmean(after) >= statistics.fmean(before):
        return None
    return Symptom(
        "overfitting",
        f"validation loss rises while training loss falls: {lowest:.3f} at step {best_step:,}, "
        f"{last:.3f} at step {last_step:,}; training loss {statistics.fmean(before):.3f}, "
        f"then {statistics.fmean(after):.3f}",
        "It learns its rows by heart. Take fewer train.num_train_epochs, a lower "
        "train.learning_rate, some lora.lora_dropout, or more rows.",
    )


def flat_loss(history: Sequence[Line], max_grad_norm: float) -> Symptom | None:
    """The loss has not fallen since the first steps, long after the warm-up."""
    train = _finite(history, "loss")
    rates = [rate for _, rate in _finite(history, "learning_rate")]
    if len(train) < FIRST_STEPS + RECENT_STEPS or not rates:
        return None
    warm = rates.index(max(rates))
    if len(rates) - warm < FIRST_STEPS + RECENT_STEPS:
        return None
    first = statistics.fmean(loss for _, loss in train[:FIRST_STEPS])
    recent = statistics.fmean(loss for _, loss in train[-RECENT_STEPS:])
    if recent <= first * (1 - LEAST_FALL):
        return None
    return Symptom(
        "flat loss",
        f"the loss does not fall: {first:.3f} on average over the first {FIRST_STEPS} steps, "
        f"{recent:.3f} over the last {RECENT_STEPS}, up to step {train[-1][0]:,}",
        f"Look at what is trained on (nybble data show). If that is right, try another "
        f"train.learning_rate (at most {max(rates):g} so far) or a larger lora.r.",
    )


def always_clipped(history: Sequence[Line], max_grad_norm: float) -> Symptom | None:
    """The gradient was longer than `max_grad_norm` at each of the last hundred steps."""
    norms = _finite(history, "grad_norm")[-CLIPPED_STEPS:]
    if len(norms) < CLIPPED_STEPS or min(norm for _, norm in norms) <= max_grad_norm:
        return None
    median = statistics.median(norm for _, norm in norms)
    return Symptom(
        "clipped gradients",
        f"gradients were clipped at each of {CLIPPED_STEPS} steps up to step {norms[-1][0]:,}: "
        f"their norm is {median:.3g} (median), train.max_grad_norm {max_grad_norm:g}",
        "All steps then weigh alike. If the loss jumps, lower train.learning_rate; to clip "
        f"outliers alone, raise train.max_grad_norm above {median:.2g}.",
    )


def spike(history: Sequence[Line], max_grad_norm: float) -> Symptom | None:
    """A loss stood out far above those before it: `training.spikes` has marked its line."""
    for place, line in enumerate(history):
        if not line.get("spike"):
            continue
        before = [loss for _, loss in _finite(history[:place], "loss")][-RECENT_STEPS:]
        usual = (
            f", after {statistics.median(before):.3f} (median of those before)" if before else ""
        )
        return Symptom(
            "loss spike",
            f"the loss jumped to {line['loss']:.3f} at step {line['step']:,}{usual}",
            "One is often a few odd rows (nybble data show). If it comes again or stays up, lower "
            "train.learning_rate or train.max_grad_norm, or lengthen train.warmup_steps.",
        )
    return None


SYMPTOMS: tuple[Callable[[Sequence[Line], float], Symptom | None], ...] = (
    overfitting,
    flat_loss,
    always_clipped,
    spike,
)


class SymptomWatcher:
    """Prints each symptom once, soon after it shows; `metrics` holds what went before a resume."""

    def __init__(self, metrics: Path, max_grad_norm: float) -> None:
        self.metrics = metrics
        self.max_grad_norm = max_grad_norm
        self.history: list[Line] = []
        self.told: set[str] = set()

    def begin(self, total_steps: int, first_step: int) -> None:
        if first_step:
            self.history.extend(read_json_lines(self.metrics))
            self.told |= {symptom.kind for symptom in self._new()}

    def record(self, values: Line) -> None:
        self.history.append(dict(values))
        if values.keys() & {"validation_loss", "spike"} or len(self.history) % LOOK_EVERY == 0:
            self._tell()

    def saved(self, step: int, checkpoint: Path) -> None:
        """A checkpoint is no symptom."""

    def end(self) -> None:
        self._tell()

    def _tell(self) -> None:
        for symptom in self._new():
            self.told.add(symptom.kind)
            print(f"warning    {symptom.what}\n           {symptom.advice}", flush=True)

    def _new(self) -> list[Symptom]:
        found = [find(self.history, self.max_grad_norm) for find in SYMPTOMS]
        return [symptom for symptom in found if symptom and symptom.kind not in self.told]


def _finite(history: Sequence[Line], name: str) -> list[tuple[int, float]]:
    """Steps and values of `name`, without those that are missing, NaN or infinite."""
    return [
        (int(line["step"] or 0), float(value))
        for line in history
        if isinstance(value := line.get(name), int | float) and math.isfinite(value)
    ]
