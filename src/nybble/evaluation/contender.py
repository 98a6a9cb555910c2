"""One of the models that are compared, with its scores on the test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nybble.evaluation.statistics import Interval, mean_interval, ratio_interval
from nybble.evaluation.task import Judged, Task

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
    def parsed(self) -> npt.NDArray[np.bool_]:
        """[rows]: whether something could be read from the answer."""
        return np.array([one.parsed for one in self.judged])

    @property
    def parse_rate(self) -> float:
        return float(self.parsed.mean())

    def estimate(self, seed: int, rows: Any = slice(None), **settings: Any) -> Interval:
        """The headline metric over `rows` (a mask or places; all by default), with its interval."""
        return estimate(self.scores[rows], self.weights[rows], seed, **settings)

    def as_json(self, task: Task, seed: int) -> dict[str, Any]:
        """An entry of the comparison's `models`."""
        value = self.estimate(seed).as_json()
        return {
            "name": self.name,
            "kind": self.kind,
            **value,
            "metrics": task.metrics(self.judged),
            "parse_rate": self.parse_rate,
            "parsed_only": self._parsed_only(value, seed),
            "cost_dollars": self.cost_dollars,
        }

    def _parsed_only(self, of_all: dict[str, float], seed: int) -> dict[str, Any]:
        """The metric over the rows whose answer could be read; None where they are too few."""
        count = int(self.parsed.sum())
        if count == len(self.parsed):
            return {"n": count, **of_all}
        if count < 2:
            return {"n": count, "value": None, "low": None, "high": None}
        return {"n": count, **self.estimate(seed, self.parsed).as_json()}


def estimate(scores: Floats, weights: Floats, seed: int, **settings: Any) -> Interval:
    """Σ score · weight / Σ weight [rows], with its interval: a mean where the weights are 1."""
    if np.all(weights == 1.0):
        return mean_interval(scores, seed, **settings)
    return ratio_interval(scores * weights, weights, seed, **settings)
