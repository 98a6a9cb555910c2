"""From gradients to new adapters: loss scaling, clipping, AdamW; nothing waits for the device.

A gradient or loss that is not finite changes nothing: fused AdamW itself skips the update.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from nybble.recipe.train_part import TrainPart
from nybble.training.optimizer import make_optimizer


class Update:
    """The optimiser of `parameters`, with loss scaling where compute is `fp16`.

    Where `train.on_nan` stops the training, the updates after one that is not finite are skipped as
    well: its loss is read only later.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], part: TrainPart, device: str, fp16: bool
    ) -> None:
        self.parameters = list(parameters)
        self.part = part
        self.device = device
        self.fp16 = fp16
        self.optimizer = make_optimizer(self.parameters, part)
        self.scaler = torch.amp.GradScaler(device, enabled=fp16)
        self.bad = torch.zeros((), dtype=torch.bool, device=device)

    @property
    def loss_scale(self) -> float:
        """What the next step's loss is to be multiplied with."""
        return float(self.scaler.get_scale())

    def __call__(self, loss: Tensor, rate: float) -> Tensor:
        """Queue clipping and AdamW at learning rate `rate`; the gradients' norm [] before clipping.

        `loss` [] is the step's, unscaled.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.scaler.scale(loss)  # makes the scaler's own tensors, which unscale_ needs
        self.scaler.unscale_(self.optimizer)
        norm: Tensor = nn.utils.clip_grad_norm_(self.parameters, self.part.max_grad_norm)
        if not self.fp16:
            bad = ~torch.isfinite(norm + loss)
            if self.part.on_nan == "stop":
                bad = self.bad.logical_or_(bad)
            self.optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return norm

    def scaler_state(self) -> dict[str, Any]:
        """For a checkpoint; empty without loss scaling."""
        return self.scaler.state_dict()

    def restore_scaler(self, state: dict[str, Any]) -> None:
        if self.fp16:
            self.scaler.load_state_dict(state)

    def forget_failed(self) -> None:
        """An update was given up between unscaling and the end: have the scaler begin it anew."""
        state = self.scaler_state()
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.fp16)
        self.restore_scaler(state)
