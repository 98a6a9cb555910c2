"""A loss curve of a few characters' width."""

import itertools
import math
from collections.abc import Sequence

BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-=+*#@"
MOST_BINS = 512


class Curve:
    """Means over equal parts of a training of `total` steps: a value costs the same at any step."""

    def __init__(self, total: int) -> None:
        self.total = max(1, total)
        self.sums = [0.0] * min(self.total, MOST_BINS)
        self.counts = [0] * len(self.sums)

    def add(self, step: int, value: float) -> None:
        """`value` at `step`, counted from 1. What is not finite leaves no mark."""
        if math.isfinite(value):
            place = min(max(0, step - 1) * len(self.sums) // self.total, len(self.sums) - 1)
            self.sums[place] += value
            self.counts[place] += 1

    def means(self, width: int) -> list[float]:
        """At most `width` means, of neighbouring parts that hold any value."""
        held = [(s, c) for s, c in zip(self.sums, self.counts, strict=True) if c]
        count = min(width, len(held))
        cuts = [i * len(held) // count for i in range(count + 1)] if count else []
        parts = [held[a:b] for a, b in itertools.pairwise(cuts)]
        return [sum(s for s, _ in part) / sum(c for _, c in part) for part in parts]


def sparkline(values: Sequence[float], bars: str = BARS) -> str:
    """A bar for each of `values`, from the lowest to the highest of them."""
    if not values:
        return ""
    low, high = min(values), max(values)
    scale = (len(bars) - 1) / (high - low) if high > low else 0.0
    return "".join(bars[round((value - low) * scale)] for value in values)
