"""Which evaluation was the best, and when more of them are no longer worth waiting for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from nybble.recipe.train_part import TrainPart
from nybble.runs.errors import InputError

# Metrics that are better when they are less, by the ends of their names.
LESS_IS_BETTER = ("loss", "error", "perplexity", "mae", "mse", "rmse", "rmsle",
                  "distance", "_red")  # fmt: skip


@dataclass(frozen=True)
class Best:
    """The evaluation after `step` steps is the best so far, and measured `values`.

    `unimproved`: evaluations in a row since then that were not better by more than the threshold.
    """

    step: int = 0
    values: dict[str, float] = field(default_factory=dict)
    unimproved: int = 0

    def after(self, step: int, values: Mapping[str, float], part: TrainPart) -> "Best":
        """What is known after one more evaluation, by transformers' rules.

        Raises `InputError` when the metric that decides was not measured.
        """
        metric = part.metric_for_best_model
        if metric not in values:
            if not part.seeks_best:
                return self
            raise InputError(
                f"train.metric_for_best_model = {metric!r} is not measured while training.",
                f"Measured are: {', '.join(sorted(values)) or 'none'}.",
            )
        gain = self._gain(values[metric], part)
        unimproved = 0 if gain > part.early_stopping_threshold else self.unimproved + 1
        if gain > 0:
            finite = {name: value for name, value in values.items() if math.isfinite(value)}
            return Best(step, finite, unimproved)
        return Best(self.step, self.values, unimproved)

    def over(self, part: TrainPart) -> bool:
        """Whether patience is at its end."""
        patience = part.early_stopping_patience
        return patience is not None and self.unimproved >= patience

    def _gain(self, value: float, part: TrainPart) -> float:
        """By how much `value` is better than the best; what is not finite is never better."""
        if not math.isfinite(value):
            return -math.inf
        if not self.values:
            return math.inf
        gain = value - self.values[part.metric_for_best_model]
        return gain if greater_is_better(part) else -gain


def greater_is_better(part: TrainPart) -> bool:
    """As the recipe says, else by the name of its metric."""
    if part.greater_is_better is not None:
        return part.greater_is_better
    return not part.metric_for_best_model.endswith(LESS_IS_BETTER)
