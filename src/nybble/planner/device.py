"""What the planner knows of the machine, as plain numbers: it never imports torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """One GPU, or the CPU. `capability` is CUDA's compute capability, (0, 0) on a CPU."""

    kind: str
    name: str
    capability: tuple[int, int]
    free_bytes: int
    has_amx: bool = False
