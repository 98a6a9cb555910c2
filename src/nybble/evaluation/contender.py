"""One of the models that are compared, with its scores on the test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from nybble.evaluation.task import Judged

Floats = npt.NDArray[np.float64]
Kind = Literal["tuned", "base", "adapter", "remote", "reference", "people"]


@dataclass(frozen=True)
class Contender:
    """What one model said to the test rows, `judged` in the order that all contenders share.

    `kind` says what it is: a person's answers and a reference's guesses are compared like a
    model's. `cost_dollars` is what asking it cost, where that is known.
    """

    name: str
    kind: Kind
    judged: Sequence[Judged]
    cost_dollars: float | None = None

    @cached_property
    def scores(self) -> Floats:
        """[rows]."""
        return np.array([one.score for one in self.judged], np.float64)

    @cached_property
    def weights(self) -> Floats:
        """[rows]: 1, or a loss's scored tokens."""
        return np.array([one.weight for one in self.judged], np.float64)

    @cached_property
    def sums(self) -> Floats:
        """[rows]: scores times weights; Σ sums / Σ weights is the metric."""
        found: Floats = self.scores * self.weights
        return found

    @cached_property
    def parsed(self) -> npt.NDArray[np.bool_]:
        """[rows]: whether something could be read from the answer."""
        return np.array([one.parsed for one in self.judged])

    @property
    def parse_rate(self) -> float:
        """The share of answers from which something could be read."""
        return float(self.parsed.mean())
