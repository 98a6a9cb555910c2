"""Models whose answers are numbers, as contenders on the same 200 rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from nybble.evaluation.contender import Contender
from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.task import Item
from nybble.evaluation.tasks.number import NumberTask

PRICES = Thresholds(40, 0.2, 80, 0.4)


class Shop:
    """Prices [n], and models that guess them with noise."""

    def __init__(self, n: int = 200, seed: int = 4) -> None:
        self.rng = np.random.default_rng(seed)
        self.truth = np.round(self.rng.lognormal(4, 1, n)) + 1
        self.task = NumberTask(float(np.median(self.truth)), PRICES)
        self.items = [
            Item(i, "x" * (5 + i % 40), float(true), {"kind": "ab"[i % 2]})
            for i, true in enumerate(self.truth)
        ]

    def guesses(self, noise: float) -> np.ndarray:
        return self.truth + self.rng.normal(0, noise, len(self.truth))

    def contender(self, name: str, guesses: Sequence[float | None], kind: str = "reference"):
        answers = [("no idea" if guess is None else repr(float(guess)),) for guess in guesses]
        return Contender(name, kind, self.task.judge(self.items, answers))  # type: ignore[arg-type]

    def contenders(self, noises: Mapping[str, float]) -> list[Contender]:
        return [self.contender(name, self.guesses(noise)) for name, noise in noises.items()]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="session")
def make_shop():
    return Shop
