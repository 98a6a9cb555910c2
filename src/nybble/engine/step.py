"""`TrainStep`: one optimiser step's forward and backward, and the loss of law 2.

The loss is the sum over the scored tokens of the whole step, divided by their number, so it is the
same for any micro-batches. This is the stock path: the model's own forward, autograd's backward,
and the head only at positions that some row of the micro-batch is scored at.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nybble.data.batches import MicroBatch, StepBatch
from nybble.engine.dropout import place_dropouts
from nybble.planner.plan import Plan


class TrainStep:
    """Gradients of one step, accumulated in the parameters' `.grad`."""

    def __init__(self, model: nn.Module, plan: Plan, seed: int = 0) -> None:
        self.model = model
        self.device = plan.device
        self.dtype = getattr(torch, plan.compute_dtype)
        self.place = place_dropouts(model, seed)

    def __call__(self, batch: StepBatch, step: int, loss_scale: float | Tensor = 1.0) -> Tensor:
        """Run forward and backward; the mean loss [] over scored tokens, left on the device.

        Gradients are those of the mean loss times `loss_scale`.
        """
        self.model.train()
        self.place.step = step
        total = torch.zeros((), device=self.device)
        for micro_batch in batch.micro_batches:
            loss = self.loss_sum(micro_batch) / batch.scored_tokens
            torch.autograd.backward(loss * loss_scale)
            total += loss.detach()
        return total

    @torch.no_grad()
    def evaluate(self, batches: Sequence[StepBatch]) -> float:
        """Mean loss over all scored tokens of `batches`, without dropout."""
        self.model.eval()
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        for batch in batches:
            for micro_batch in batch.micro_batches:
                total += self.loss_sum(micro_batch).double()
        return float(total) / sum(batch.scored_tokens for batch in batches)

    def loss_sum(self, batch: MicroBatch) -> Tensor:
        """Sum [] of the cross-entropies at the scored positions, in fp32."""
        self.place.row_numbers = self._tensor(batch.row_numbers)
        # On the host: torch.unique would wait for the device.
        needed, column = np.unique(batch.scored_positions, return_inverse=True)
        with self._autocast():
            logits = self.model(
                input_ids=self._tensor(batch.input_ids),
                attention_mask=self._tensor(batch.attention_mask),
                logits_to_keep=self._tensor(needed),
                use_cache=False,
            ).logits
        scored = logits[self._tensor(batch.scored_rows), self._tensor(column)].float()
        return functional.cross_entropy(scored, self._tensor(batch.targets), reduction="sum")

    def _autocast(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32)

    def _tensor(self, array: object) -> Tensor:
        return torch.as_tensor(array).to(self.device, non_blocking=True)
