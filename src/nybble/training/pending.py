"""A step that is queued, and what is written down of it when it is done."""

import torch
from torch import Tensor

from nybble.data.batches import StepBatch


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
        self.on_gpu = loss.is_cuda
        self._arrived = torch.cuda.Event() if self.on_gpu else None  # type: ignore[no-untyped-call]
        if self._arrived:
            self._arrived.record()

    def numbers(self) -> tuple[float, float]:
        """Loss and gradient norm, as soon as they are there."""
        if self._arrived:
            self._arrived.synchronize()
        loss, grad_norm = self._numbers.tolist()
        return loss, grad_norm


def line_of(pending: Pending, loss: float, norm: float, seconds: float) -> dict[str, float]:
    """A step's line in `metrics.jsonl`."""
    values: dict[str, float] = {
        "step": pending.step,
        "loss": loss,
        "learning_rate": pending.rate,
        "grad_norm": norm,
        "tokens": pending.batch.tokens,
        "scored_tokens": pending.batch.scored_tokens,
        "padded_tokens": pending.batch.padded_tokens,
        "step_seconds": round(seconds, 4),
    }
    if pending.on_gpu:
        values["peak_bytes"] = torch.cuda.max_memory_reserved()
    return values
