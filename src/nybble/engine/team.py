"""The processes that compute a step together: which packs are whose, and what they add up."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, distributed

from nybble.data.batches import Pack


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

    def shared(self, values: dict[str, float]) -> dict[str, float]:
        """The first process' `values`, in all of them."""
        if self.size == 1:
            return values
        held = [values]
        distributed.broadcast_object_list(held, src=0)
        return held[0]

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
