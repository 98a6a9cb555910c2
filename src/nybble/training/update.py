"""The optimiser's part of a step: clipping and AdamW, or nothing where it is not finite."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nybble.recipe.train_part import TrainPart
from nybble.training.optimizer import make_optimizer


class Update:
    """AdamW on `parameters`, as `part` says; compute is `dtype`, with loss scaling in fp16."""

    def __init__(
        self, parameters: Sequence[nn.Parameter], part: TrainPart, device: str, dtype: torch.dtype
    ) -> None:
        self.parameters = parameters
        self.part = part
        self.device = device
        self.optimizer = make_optimizer(parameters, part)
        self.scaler = torch.amp.GradScaler(device, enabled=dtype == torch.float16)
        self.bad = torch.zeros((), dtype=torch.bool, device=device)

    def __call__(self, loss: Tensor, rate: float) -> Tensor:
        """Update by the gradients at learning rate `rate`; gives their norm [], before clipping.

        Queued: nothing waits for the device. A gradient or `loss` that is not finite is skipped;
        where that stops the training, so is every update after it, until the loss has been read.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.scaler.scale(loss)  # makes the scaler's own tensors, which unscale_ needs
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.part.max_grad_norm)
        if not self.scaler.is_enabled():
            bad = ~torch.isfinite(norm + loss)
            if self.part.on_nan == "stop":
                bad = self.bad.logical_or_(bad)
            self.optimizer.found_inf = bad.float()  # type: ignore[attr-defined]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return norm

    def forget(self) -> None:
        """Take up a step again that failed in the middle: the scaler would count it twice."""
        if self.scaler.is_enabled():
            state = self.scaler.state_dict()
            self.scaler = torch.amp.GradScaler(self.device)
            self.scaler.load_state_dict(state)
