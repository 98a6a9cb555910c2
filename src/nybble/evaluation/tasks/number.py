"""The task `number`: the answer is a number, and counts by how far off it is.

Where none can be read, the row counts as the constant reference's guess, the median of the training
rows: an answer without a number says nothing, so it is worth what knowing nothing is worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nybble.evaluation.extraction import extract_number
from nybble.evaluation.metrics.numbers import (
    MEASURES,
    Thresholds,
    colour,
    fill_unreadable,
    number_metrics,
)
from nybble.evaluation.task import Answers, Item, Judged


@dataclass(frozen=True)
class NumberTask:
    """`fallback` is what an unreadable answer counts as; `extract` is as `extract_number` has it.

    `metric` is the headline: `mae`, `mse`, or the share of guesses that are `green`.
    """

    fallback: float
    thresholds: Thresholds
    extract: str = "first"
    metric: str = "mae"
    name: str = "number"
    measures: tuple[str, ...] = MEASURES

    @property
    def higher_is_better(self) -> bool:
        return self.metric == "green"

    def plain(self) -> "NumberTask":
        """The first number is the answer, whatever `extract` looks for in what models write."""
        return replace(self, extract="first")

    def agree(self, one: Judged, other: Judged) -> bool:
        """Whether one guess would be green if the other were the truth."""
        a, b = _guess(one), _guess(other)
        return "green" in (colour(a, b, self.thresholds), colour(b, a, self.thresholds))

    def judge(self, items: Sequence[Item], answers: Sequence[Answers]) -> list[Judged]:
        """Each with the colour of its guess as `detail`. Truths are numbers."""
        values = [extract_number(said[0], self.extract) for said in answers]
        guesses = fill_unreadable(values, self.fallback)
        truths = np.array([item.truth for item in items], np.float64)
        judged = []
        for item, said, value, guess, truth in zip(
            items, answers, values, guesses.tolist(), truths.tolist(), strict=True
        ):
            seen = colour(truth, guess, self.thresholds)
            score = self._score(truth, guess, seen)
            judged.append(
                Judged(
                    item.row,
                    item.prompt,
                    said[0],
                    value,
                    truth,
                    score,
                    detail={"colour": seen},
                    stand_in=self.fallback,
                )
            )
        return judged

    def metrics(self, judged: Sequence[Judged]) -> dict[str, float | None]:
        """As `number_metrics`: unreadable answers count as the fallback."""
        truth = np.array([one.truth for one in judged], np.float64)
        return number_metrics(truth, np.array(list(map(_guess, judged))), self.thresholds)

    def _score(self, truth: float, guess: float, seen: str) -> float:
        if self.metric == "green":
            return float(seen == "green")
        error = abs(guess - truth)
        return error**2 if self.metric == "mse" else error


def _guess(judged: Judged) -> float:
    return float(str(judged.counted))
