"""The task's own metrics while a training goes on: on some validation rows, as tests are judged."""

import math
from collections.abc import Callable
from typing import Any

from nybble.pipeline.examiner import Examiner
from nybble.pipeline.stage import Stage
from nybble.planner.plan import Plan

Judge = Callable[[int], dict[str, float]]


def judge_for(stage: Stage, plan: Plan, model: Any) -> Judge | None:
    """What the trainer calls at every evaluation with the number of steps done; None where the
    recipe asks for no such judging.

    Gives every metric of the task that is defined, as `validation_NAME`, the headline first; the
    one that chooses the best evaluation also where it is not, as NaN, which is never the best. Each
    asks for answers in batches of the plan's tokens, and in smaller ones where they find no room.
    """
    part = stage.recipe.evaluate
    if stage.task is None or not part.during_training:
        return None
    examiner = Examiner(stage, plan, stage.prepared.splits.validation[: part.during_training])
    headline = stage.task.metric
    decides = stage.recipe.train.metric_for_best_model.removeprefix("validation_")

    def judge(step: int) -> dict[str, float]:
        judged = examiner.judge(examiner.ask_quietly(model))
        weight = sum(one.weight for one in judged)
        found = {headline: sum(one.score * one.weight for one in judged) / weight}
        for name, value in examiner.task.metrics(judged).items():
            if value is not None:
                found[name] = value
            elif name == decides:
                found[name] = math.nan
        # Measured over all validation rows by the training itself.
        found.pop("loss", None)
        found["parse_rate"] = sum(one.parsed for one in judged) / len(judged)
        return {f"validation_{name}": value for name, value in found.items()}

    return judge
