"""The stock path: the model's own forward and autograd, the head at scored positions alone."""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nybble.data.batches import Pack, padded
from nybble.engine.dropout import place_dropouts, token_keys


def recompute_stock(model: Any) -> None:
    """Have the layers of a stock model keep their inputs alone, and be computed again backwards.

    Placed dropout draws the same again, whatever torch's generators say.
    """
    model.gradient_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": False})


class StockPath:
    """Runs any causal language model of transformers, with PEFT's adapters."""

    def __init__(self, model: nn.Module, device: str, dtype: torch.dtype, seed: int) -> None:
        self.model = model
        self.device = device
        self.dtype = dtype
        self.place = place_dropouts(model, seed)

    def begin(self) -> None:
        """Nothing to take over: the model reads its own adapters."""

    def train(self, pack: Pack, step: int, scale: Tensor, loss: Tensor) -> None:
        """Add the pack's losses to `loss` [], and gradients of the sum times `scale` []."""
        self.model.train()
        self.place.step = step
        total = self.loss_sum(pack)
        torch.autograd.backward(total * scale)
        loss += total.detach()

    @torch.no_grad()
    def evaluate(self, pack: Pack, loss: Tensor) -> None:
        """Add the pack's losses to `loss` [], without dropout."""
        self.model.eval()
        loss += self.loss_sum(pack)

    def loss_sum(self, pack: Pack) -> Tensor:
        """Sum [] of the cross-entropies at the scored positions, in fp32."""
        batch = padded(pack)
        self.place.keys = self._tensor(
            token_keys(self.place.seed, self.place.step, batch.row_numbers, batch.positions)
        )
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
