"""Where this process stands among those that train together, as torchrun tells it."""

import os
from dataclasses import dataclass

from nybble.runs.errors import InputError


@dataclass(frozen=True)
class Place:
    """Process `rank` of `size`, the `local_rank`-th of its machine."""

    rank: int = 0
    local_rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """The first process alone writes files and prints."""
        return self.rank == 0


def place_here() -> Place:
    """From RANK, LOCAL_RANK and WORLD_SIZE; without these, one process.

    Raises `InputError` when they make no sense.
    """
    given = {name: os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")}
    if given["WORLD_SIZE"] is None:
        return Place()
    try:
        size, rank = int(given["WORLD_SIZE"]), int(given["RANK"] or 0)
        local_rank = int(given["LOCAL_RANK"] or rank)
    except ValueError:
        size = rank = local_rank = -1
    if not 0 <= rank < size or local_rank < 0:
        told = ", ".join(f"{name}={value}" for name, value in given.items())
        raise InputError(
            f"The environment names no process of a training: {told}.",
            "Start it with torchrun, or unset WORLD_SIZE.",
        )
    return Place(rank, local_rank, size)


def take_own_gpu(place: Place) -> None:
    """Let this process see one GPU of its machine, its own. To be said before torch is imported.

    Hiding the others is surer than choosing one: libraries load weights in threads, and a thread
    begins with the first GPU that it sees.
    """
    if place.size == 1:
        return
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    mine = str(place.local_rank)
    if seen is not None:
        mine = (seen.split(",") + [""] * place.size)[place.local_rank]
    os.environ["CUDA_VISIBLE_DEVICES"] = mine
