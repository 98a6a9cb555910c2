"""Gradients of a step: summed over its packs, and over the processes that share them.

They are those of the loss summed over the whole step's scored tokens, so their sum is the gradient
that one pack would have found (law 2), to rounding. Several processes have them in one flat buffer,
the loss behind them, so a step takes one all-reduce, and no copies.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nybble.engine.team import Team

# Kernels read 16 bytes at once, so every gradient begins at a multiple of so many values.
GRAIN = 4


class Gradients:
    """Each pack's are added where they are made, in fp32.

    `loss` [] is what packs add their losses to.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], team: Team) -> None:
        self.parameters = parameters
        self.team = team
        if team.size > 1:
            self.views, self.flat = flat_like(parameters)
            self.loss = self.flat[-1]
        else:
            self.views = [torch.zeros_like(parameter) for parameter in parameters]
            self.loss = torch.zeros((), device=parameters[0].device)

    def begin(self) -> None:
        """Forget the step before, and have the parameters' `.grad` lie here."""
        torch._foreach_zero_([*self.views, self.loss])
        for parameter, view in zip(self.parameters, self.views, strict=True):
            parameter.grad = view

    def take(self) -> None:
        """A pack is done."""

    def total(self) -> Tensor:
        """Sum over the processes, in place; gives the loss []. On a GPU it is queued."""
        if self.team.size > 1:
            self.team.sum_(self.flat)
        return self.loss.clone()


class ExactGradients(Gradients):
    """Sums in fp64, rounded once: the same bits whichever process computes which pack.

    AdamW divides a gradient by its own size, so where little but rounding is left of one, another
    order of summing would move its parameter the other way. Takes 8 bytes more a parameter, and on
    the bundled model's step no time that can be measured.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], team: Team) -> None:
        self.parameters = parameters
        self.team = team
        self.views, self.flat = flat_like(parameters)
        self.loss = self.flat[-1]
        self.sums = torch.zeros_like(self.flat, dtype=torch.float64)

    def begin(self) -> None:
        super().begin()
        self.sums.zero_()

    def take(self) -> None:
        """Add the pack's gradients and loss to those of the packs before it."""
        self.sums.add_(self.flat)
        self.flat.zero_()

    def total(self) -> Tensor:
        self.flat.copy_(self.team.sum_(self.sums))
        return self.loss.clone()


def flat_like(parameters: Sequence[nn.Parameter]) -> tuple[list[Tensor], Tensor]:
    """Zeros like `parameters`, and the buffer that they lie in, with one value more at its end.

    Raises `ValueError` for parameters of unlike types, which are never trained (law 3).
    """
    first = parameters[0]
    if any((p.dtype, p.device) != (first.dtype, first.device) for p in parameters):
        raise ValueError("trained parameters are of one type and on one device")
    rooms = [-(-parameter.numel() // GRAIN) * GRAIN for parameter in parameters]
    flat = torch.zeros(sum(rooms) + 1, dtype=first.dtype, device=first.device)
    parts = torch.split(flat[:-1], rooms)
    views = [part[: p.numel()].view(p.shape) for part, p in zip(parts, parameters, strict=True)]
    return views, flat
