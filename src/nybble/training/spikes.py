"""Losses that jump far above those before them."""

import math
import statistics
from collections.abc import Iterable

KEPT, FEWEST = 50, 20
# So many times the usual distance from the median (1.4826 times the median one, which is a standard
# deviation where losses are normal), and at least a fifth above it.
DISTANCES, SHARE = 6.0, 0.2


class Spikes:
    """Looks at each loss beside the last `KEPT`, `recent` ones first."""

    def __init__(self, recent: Iterable[float] = ()) -> None:
        self.recent = list(recent)[-KEPT:]

    def add(self, loss: float) -> bool:
        """Take note of `loss`; whether it is a spike."""
        if not math.isfinite(loss):
            return False
        found = False
        if len(self.recent) >= FEWEST:
            median = statistics.median(self.recent)
            usual = 1.4826 * statistics.median(abs(value - median) for value in self.recent)
            found = loss - median > max(DISTANCES * usual, SHARE * abs(median))
        self.recent = [*self.recent, loss][-KEPT:]
        return found
