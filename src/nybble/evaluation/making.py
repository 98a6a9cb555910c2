"""The task that a recipe asks for, made from what the training rows answer."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue

from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.own_metric import OwnMetric, load_function
from nybble.evaluation.references import constant_reference
from nybble.evaluation.task import Task
from nybble.evaluation.tasks.code import CodeTask
from nybble.evaluation.tasks.label import LabelTask, plain
from nybble.evaluation.tasks.loss import LossTask
from nybble.evaluation.tasks.number import NumberTask
from nybble.evaluation.tasks.text import TextTask
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.runs.errors import InputError

MOST_LABELS = 500


def make_task(part: EvaluatePart, train_answers: Sequence[JsonValue]) -> Task:
    """The task of `part`. `train_answers` decide the constant reference's guess, which stands in
    for answers that cannot be read, and the labels where the recipe names none.

    Raises `InputError` for training rows that give no labels, and for a metric that does not run.
    """
    task, guess = _built_in(part, train_answers)
    if part.metric is None or not part.own_metric:
        return task
    if part.headline in (*task.measures, "parse_rate"):
        raise InputError(
            f"evaluate.metric: a metric of one's own may not be called {part.headline}: so is "
            f"another that the task {part.task} gives.",
            "Give the function another name.",
        )
    score = load_function(part.metric)
    return OwnMetric(task, score, part.metric, part.headline, part.greater_is_better, guess)


def thresholds_of(part: EvaluatePart) -> Thresholds:
    """The bounds of the colours that guesses of numbers have."""
    return Thresholds(part.green_within, part.green_share, part.orange_within, part.orange_share)


def labels_of(task: Task) -> tuple[str, ...]:
    """What an answer may be, for the task `label`; of other tasks none."""
    base = task.base if isinstance(task, OwnMetric) else task
    return base.labels if isinstance(base, LabelTask) else ()


def most_frequent(answers: Sequence[JsonValue]) -> str:
    """The most frequent of `answers`, of equally frequent ones the first."""
    return str(Counter(map(str, answers)).most_common(1)[0][0])


def _built_in(part: EvaluatePart, train_answers: Sequence[JsonValue]) -> tuple[Task, str]:
    """The task with a metric that it knows, and the constant reference's guess as a text."""
    metric = None if part.own_metric else part.metric
    if part.task == "number":
        guess = constant_reference(np.array(train_answers, np.float64))
        return NumberTask(guess, thresholds_of(part), part.extract, metric or "mae"), repr(guess)
    if part.task == "label":
        frequent = most_frequent(train_answers)
        return LabelTask(_labels(part, train_answers), frequent), frequent
    if part.task == "text":
        frequent = most_frequent(train_answers)
        return TextTask(frequent, metric or "chrf"), frequent
    if part.task == "code":
        return CodeTask(part.of_k, part.timeout), ""
    return LossTask(), ""


def _labels(part: EvaluatePart, train_answers: Sequence[JsonValue]) -> tuple[str, ...]:
    if part.labels:
        if alike := _alike(part.labels):
            raise InputError(
                f"evaluate.labels differ in case, spaces or marks around them alone: {alike}.",
                "An answer is read without these: name the labels otherwise.",
            )
        return _with_words(part.labels)
    found = sorted(set(map(str, train_answers)))
    if not 2 <= len(found) <= MOST_LABELS:
        raise InputError(
            f"The training rows have {len(found):,} different answers, which are no labels.",
            "Name the labels with evaluate.labels, or their column with evaluate.truth.",
        )
    if alike := _alike(found):
        raise InputError(
            f"Labels of the training rows differ in case, spaces or marks alone: {alike}.",
            "Name the labels with evaluate.labels, or mend the rows.",
        )
    return _with_words(found)


def _with_words(labels: Sequence[str]) -> tuple[str, ...]:
    """`labels`, refused where an empty answer would be read as one of them."""
    if bare := [label for label in labels if not plain(label)]:
        raise InputError(
            f"{bare[0]!r} is a label of spaces or marks alone.",
            "An answer is read without these: name the label otherwise.",
        )
    return tuple(labels)


def _alike(labels: Sequence[str]) -> str:
    """Two labels that are read as one."""
    first: dict[str, str] = {}
    for label in labels:
        if plain(label) in first:
            return f"{first[plain(label)]!r} and {label!r}"
        first[plain(label)] = label
    return ""
