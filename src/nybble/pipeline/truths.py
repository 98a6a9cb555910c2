"""What test rows are to be answered with: the true number, label, text or tests of each."""

from collections.abc import Sequence
from dataclasses import asdict

from pydantic import JsonValue

from nybble.data.examples import Example
from nybble.data.split import Splits
from nybble.evaluation.extraction import extract_number
from nybble.evaluation.making import labels_of, make_task
from nybble.evaluation.problems import problem_of
from nybble.evaluation.task import Item, Task
from nybble.evaluation.tasks.label import plain
from nybble.pipeline.questions import prompt_and_answer
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.recipe.schema import DataPart
from nybble.recipe.train_part import TrainPart
from nybble.runs.errors import InputError


def read_task(splits: Splits, data: DataPart, part: EvaluatePart) -> Task:
    """The task of `part`, after reading every true answer that an evaluation will need.

    Raises `InputError` for what would fail it: too few rows, a column that is not there, a row
    without a true answer, a label that is none.
    """
    test = splits.test[: part.size]
    _check_counts(splits, data, part, test)
    train_answers = [true_answer(example, part, data.train_name) for example in splits.train]
    task = make_task(part, train_answers)
    labels = labels_of(task)
    for examples, source in ((splits.validation, data.validation), (test, data.test)):
        name = source if isinstance(source, str) else data.train_name
        answers = [true_answer(example, part, name) for example in examples]
        if labels and (examples is test or part.during_training):
            _check_labels(examples, answers, labels, name)
        for column in part.slices:
            _check_slice(examples, column, name)
    if part.floor:
        name = data.test if isinstance(data.test, str) else data.train_name
        for example in test:
            column_number(example, part.floor, "evaluate.floor", name)
    return task


def check_measured(part: TrainPart, task: Task) -> None:
    """Raises `InputError` where the metric that chooses the best evaluation is none of `task`'s."""
    measured = [f"validation_{name}" for name in (*task.measures, "parse_rate", "loss")]
    if part.seeks_best and part.metric_for_best_model not in measured:
        raise InputError(
            f"train.metric_for_best_model = {part.metric_for_best_model!r} is not measured while "
            "training.",
            f"Measured are {', '.join(dict.fromkeys(measured))}.",
        )


def items_of(examples: Sequence[Example], part: EvaluatePart, source: str) -> list[Item]:
    """Test rows with their true answers. Raises `InputError` for a row without one."""
    return [
        Item(
            example.number,
            prompt_and_answer(example)[0],
            true_answer(example, part, source),
            example.columns,
        )
        for example in examples
    ]


def true_answer(example: Example, part: EvaluatePart, source: str) -> JsonValue:
    """What a row is to be answered with: the column `evaluate.truth`, or its own answer."""
    if part.task == "number":
        return true_number(example, part, source)
    if part.task == "code":
        return asdict(problem_of(example.columns, f"{source}: row {example.number}"))
    if part.truth is None:
        answer = prompt_and_answer(example)[1]
    else:
        _check_has(example, part.truth, "evaluate.truth", source, "evaluate.truth=null")
        answer = str(example.columns[part.truth])
    if part.task != "label":
        return answer
    if not answer.strip():
        raise InputError(f"{source}: row {example.number}: it has no label.", "Mend the row.")
    named = {plain(label): label for label in part.labels}
    return named.get(plain(answer), answer.strip())


def true_number(example: Example, part: EvaluatePart, source: str) -> float:
    """The true value: the column `evaluate.truth`, or the number in the completion."""
    if part.truth is not None:
        return column_number(example, part.truth, "evaluate.truth", source)
    value = extract_number(prompt_and_answer(example)[1], part.extract)
    if value is None:
        raise InputError(
            f"{source}: row {example.number}: no number in the completion.",
            "Name the column of the true value with evaluate.truth, or mend the row.",
        )
    return value


def column_number(example: Example, column: str, field: str, source: str) -> float:
    """The number in a row's `column`, which the recipe names in `field`."""
    _check_has(example, column, field, source, f"{field}=null")
    value = extract_number(str(example.columns[column]), "first")
    if value is None:
        raise InputError(
            f"{source}: row {example.number}: no number in column {column!r}.",
            f"Mend the row, or name another column with {field}.",
        )
    return value


def _check_has(example: Example, column: str, field: str, source: str, without: str) -> None:
    if column not in example.columns:
        raise InputError(
            f"{source}: row {example.number} has no column {column!r} ({field}).",
            f"There are {', '.join(example.columns)}; {without} leaves it out.",
        )


def _check_slice(examples: Sequence[Example], column: str, source: str) -> None:
    for example in examples:
        _check_has(example, column, "evaluate.slices or --slice", source, "evaluate.slices=[]")


def _check_labels(
    examples: Sequence[Example], answers: Sequence[JsonValue], labels: Sequence[str], source: str
) -> None:
    known = set(labels)
    for example, answer in zip(examples, answers, strict=True):
        if answer not in known:
            raise InputError(
                f"{source}: row {example.number}: {answer!r} is none of the {len(known)} labels.",
                "Name every label in evaluate.labels, or mend the row.",
            )


def _check_counts(
    splits: Splits, data: DataPart, part: EvaluatePart, test: Sequence[Example]
) -> None:
    if len(test) < 2:
        raise InputError(
            f"data.test and evaluate.size give {len(test)} rows to evaluate on.",
            "Give both at least 2, or skip the evaluation with evaluate.size=0.",
        )
    fitted = part.task in ("number", "label")
    if fitted and len(splits.validation) < 2 and len(splits.train) < 3:
        raise InputError(
            f"{data.train_name}: {len(splits.train)} rows to train on and "
            f"{len(splits.validation)} to validate are too few rows for the references.",
            "Give more rows, or skip the evaluation with evaluate.size=0.",
        )
    if part.during_training and not splits.validation:
        raise InputError(
            "evaluate.during_training needs validation rows, and there are none.",
            "Raise data.validation, or say evaluate.during_training=0.",
        )
