"""The processes that compute a step together.

Each computes the gradients of its own packs, of the summed loss over the whole step's scored
tokens; their sum is the gradient that one process would have found (law 2), to rounding. They lie
in one flat buffer, the loss behind them, so a step takes one all-reduce, and no copies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from nybble.data.batches import Pack

# Kernels read 16 bytes at once, so every gradient begins at a multiple of so many values.
GRAIN = 4


@dataclass(frozen=True)
class Team:
    """Process `rank` of `size`; the first one leads: it alone writes files and prints."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def own(self, packs: Sequence[Pack]) -> list[Pack]:
        """Those of `packs` that this process computes; there may be none."""
        return [pack for pack in packs if pack.process == self.rank]

    def gradients(self, parameters: Sequence[nn.Parameter]) -> tuple[list[Tensor], Tensor]:
        """Zeros like `parameters`, and what is summed over the processes: the buffer they lie in.

        A process that is alone has separate gradients and an empty buffer. Raises `ValueError` for
        parameters of unlike types, which are never trained (law 3).
        """
        if self.size == 1:
            return [torch.zeros_like(parameter) for parameter in parameters], torch.empty(0)
        first = parameters[0]
        if any((p.dtype, p.device) != (first.dtype, first.device) for p in parameters):
            raise ValueError("trained parameters are of one type and on one device")
        rooms = [-(-parameter.numel() // GRAIN) * GRAIN for parameter in parameters]
        flat = torch.zeros(sum(rooms) + 1, dtype=first.dtype, device=first.device)
        parts = torch.split(flat[:-1], rooms)
        views = [part[: p.numel()].view(p.shape) for part, p in zip(parts, parameters, strict=True)]
        return views, flat

    def sum_step(self, flat: Tensor, loss: Tensor) -> Tensor:
        """Sum the gradients in `flat` and `loss` [] over all processes; gives the loss [].

        Queued on a GPU: nothing waits for the device.
        """
        if self.size == 1:
            return loss
        flat[-1].copy_(loss)
        return self.sum_(flat)[-1].clone()

    def sum_(self, values: Tensor) -> Tensor:
        """`values`, summed over all processes in place."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values


ALONE = Team()


def team_here() -> Team:
    """The processes that have joined, or this one alone."""
    if not distributed.is_initialized():
        return ALONE
    return Team(distributed.get_rank(), distributed.get_world_size())
