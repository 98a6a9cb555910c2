"""A metric of the user's own: a function in a file, named in the recipe as path.py:function.

    # metrics.py
    def length_ratio(answer: str, truth, row: dict) -> float | None:
        return min(len(answer), len(truth)) / max(len(answer), len(truth), 1)

It is called once for each row, with what the model wrote, the true answer and the row's columns.
Where the task can read nothing in the answer, or the function says so by giving None, the row
counts as the constant reference's guess: the function is called with that instead, and must give a
number.
"""

import importlib.util
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from nybble.evaluation.metrics.numbers import LARGEST
from nybble.evaluation.task import Answers, Item, Judged, Task
from nybble.recipe.evaluate_part import OWN_METRIC
from nybble.runs.errors import InputError

Score = Callable[[str, JsonValue, Mapping[str, Any]], float | None]


@dataclass(frozen=True)
class OwnMetric:
    """`base` with other scores: those that `score`, called `metric`, gives."""

    base: Task
    score: Score
    where: str
    metric: str
    higher_is_better: bool
    fallback: str

    @property
    def name(self) -> str:
        return self.base.name

    @property
    def measures(self) -> tuple[str, ...]:
        return (self.metric, *self.base.measures)

    def plain(self) -> "OwnMetric":
        return replace(self, base=self.base.plain())

    def agree(self, one: Judged, other: Judged) -> bool:
        return self.base.agree(one, other)

    def judge(self, items: Sequence[Item], answers: Sequence[Answers]) -> list[Judged]:
        """As the task reads it, with the function's scores. Raises `InputError` naming the row for
        which the function fails or gives no number."""
        judged = self.base.judge(items, answers)
        return [self._scored(item, one) for item, one in zip(items, judged, strict=True)]

    def metrics(self, judged: Sequence[Judged]) -> dict[str, float | None]:
        """The task's own, and the mean of the function's scores."""
        mean = math.fsum(one.score for one in judged) / len(judged)
        return {self.metric: mean, **self.base.metrics(judged)}

    def _scored(self, item: Item, judged: Judged) -> Judged:
        found = self._called(item, judged.answer) if judged.parsed else None
        if found is not None:
            return replace(judged, score=found)
        stand_in = self._called(item, self.fallback)
        if stand_in is None:
            raise InputError(
                f"{self.where}: row {item.row}: gives None for the constant reference's guess too.",
                "Give a number for an answer that can be read.",
            )
        return replace(judged, value=None, score=stand_in)

    def _called(self, item: Item, answer: str) -> float | None:
        where = f"{self.where}: row {item.row}"
        try:
            found = self.score(answer, item.truth, item.columns)
        except Exception as error:
            raise InputError(
                f"{where}: {type(error).__name__}: {error}.",
                "Mend the function of evaluate.metric.",
            ) from error
        if found is None:
            return None
        if isinstance(found, str) or not _finite(found):
            raise InputError(
                f"{where}: it gives {found!r}.",
                f"Give a number within ±{LARGEST:g}, or None where nothing can be read from the "
                "answer.",
            )
        return float(found)


def load_function(reference: str) -> Score:
    """The function that `path.py:function` names. Runs the file.

    Raises `InputError` where there is no file, it does not run, or it has no such function of
    three arguments.
    """
    named = OWN_METRIC.fullmatch(reference)
    path = Path(named["path"]).expanduser() if named else Path(reference)
    if named is None or not path.is_file():
        raise InputError(
            f"evaluate.metric: there is no file {path}.", "Name a function as path.py:function."
        )
    function = getattr(_run(path), named["function"], None)
    if not callable(function):
        raise InputError(
            f"evaluate.metric: {path} has no function {named['function']}.",
            "Define it there: def NAME(answer, truth, row), which gives a number.",
        )
    try:
        inspect.signature(function).bind("answer", "truth", {})
    except TypeError as error:
        raise InputError(
            f"evaluate.metric: {reference} cannot be called: {error}.",
            "It takes three arguments: answer, truth, row.",
        ) from None
    score: Score = function
    return score


def _run(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"nybble_metric_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"evaluate.metric: {path} is not Python.", "Name a file that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(
            f"evaluate.metric: {path} does not run: {type(error).__name__}: {error}.",
            "Mend the file.",
        ) from error
    return module


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value) and abs(value) <= LARGEST
    except (TypeError, OverflowError):
        return False
