"""True answers of test rows, and what of them is refused before anything is trained."""

import pytest

from nybble.data.examples import Pair
from nybble.data.split import Splits
from nybble.evaluation.task import Task
from nybble.pipeline.truths import check_measured, items_of, read_task, true_answer
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.recipe.schema import DataPart
from nybble.recipe.train_part import TrainPart
from nybble.runs.errors import InputError

DATA = DataPart(train="rows.csv", test="judged.csv")


def pair(number: int, completion: str = "5", **columns: object) -> Pair:
    return Pair(number, f"p{number}", completion, columns)


def splits(train=(), validation=(), test=()) -> Splits:
    good = [pair(n) for n in range(1, 9)]
    return Splits([*good, *train], [*good[:2], *validation], [*good[:3], *test])


def check(parts: Splits, **evaluate: object) -> None:
    read_task(parts, DATA, EvaluatePart.model_validate({"task": "number", **evaluate}))


def test_good_rows_pass():
    check(splits())


@pytest.mark.parametrize(
    ("part", "source"), [("train", "rows"), ("validation", "rows"), ("test", "judged")]
)
def test_a_truth_that_cannot_be_read_is_named_with_its_source(part, source):
    with pytest.raises(InputError, match=rf"^{source}\.csv: row 77: no number in the completion"):
        check(splits(**{part: [pair(77, "dear")]}))


def test_a_test_row_beyond_those_that_are_judged_may_hold_anything():
    check(splits(test=[pair(77, "dear")]), size=3)


@pytest.mark.parametrize("field", ["truth", "floor"])
def test_a_column_that_is_not_there_is_named_with_those_that_are(field):
    rows = [Pair(n, "p", "5", {"title": "a", "price": "5"}) for n in range(1, 9)]
    with pytest.raises(InputError, match="row 1 has no column 'cost'") as caught:
        check(Splits(rows, rows, rows), **{field: "cost"})
    assert "title, price" in caught.value.fix
    assert f"evaluate.{field}" in caught.value.fix


def test_a_floor_that_is_no_number_is_named():
    rows = [Pair(n, "p", "5", {"best": "?" if n == 4 else "$1"}) for n in range(1, 9)]
    with pytest.raises(InputError, match=r"judged\.csv: row 4: no number in column 'best'"):
        check(Splits(rows, rows, rows), floor="best")


def test_a_column_of_text_holds_a_number_too():
    example = Pair(1, "p", "?", {"price": "$1,250.50"})
    assert true_answer(example, EvaluatePart(task="number", truth="price"), "s") == 1250.5


@pytest.mark.parametrize(("size", "test"), [(1, 20), (20, 1), (20, 0)])
def test_an_interval_needs_two_rows(size, test):
    rows = [pair(n) for n in range(1, 30)]
    with pytest.raises(InputError, match="to evaluate on"):
        check(Splits(rows, rows[:5], rows[:test]), size=size)


def test_the_ridge_needs_rows_to_be_fitted_and_chosen_on():
    rows = [pair(n) for n in range(1, 30)]
    for train, validation in ((1, 0), (2, 1)):
        with pytest.raises(InputError, match="too few rows"):
            check(Splits(rows[:train], rows[:validation], rows))
    check(Splits(rows[:3], [], rows))
    check(Splits(rows[:1], rows[:2], rows))


def labelled(*answers: str) -> list[Pair]:
    return [pair(n, answer, label=answer.upper()) for n, answer in enumerate(answers, 1)]


def labels_check(test: list[Pair], **evaluate: object):
    train = labelled("yes", "no", "yes")
    part = EvaluatePart.model_validate({"task": "label", **evaluate})
    return read_task(Splits(train, labelled("no", "no"), test), DATA, part)


def test_a_test_rows_label_must_be_one_that_can_be_answered():
    assert labels_check(labelled("no", "yes")).labels == ("no", "yes")
    with pytest.raises(InputError, match=r"^judged\.csv: row 2: 'maybe' is none of the 2 labels"):
        labels_check(labelled("no", "maybe"))
    named = labels_check(labelled("no", "maybe"), labels=["yes", "no", "maybe"])
    assert named.labels == ("yes", "no", "maybe")


def test_a_row_without_a_label_is_told():
    with pytest.raises(InputError, match=r"^judged\.csv: row 2: it has no label"):
        labels_check(labelled("no", " "))


def test_labels_are_those_of_the_recipe_whatever_their_case_in_the_rows():
    part = EvaluatePart(task="label", labels=["Yes", "No"], truth="label")
    assert [item.truth for item in items_of(labelled("yes", "no"), part, "s")] == ["Yes", "No"]


def test_a_text_is_the_rows_answer_or_a_column():
    row = pair(1, "short", long="longer")
    assert true_answer(row, EvaluatePart(task="text"), "s") == "short"
    assert true_answer(row, EvaluatePart(task="text", truth="long"), "s") == "longer"


def test_a_column_to_slice_by_must_be_there():
    with pytest.raises(
        InputError, match=r"no column 'kind' \(evaluate.slices or --slice\)"
    ) as caught:
        check(splits(), slices=["kind"])
    assert "evaluate.slices=[] leaves it out" in caught.value.fix


def test_judging_while_training_needs_validation_rows():
    rows = [pair(n) for n in range(1, 30)]
    with pytest.raises(InputError, match="needs validation rows"):
        check(Splits(rows, [], rows), during_training=4)


BEST = {"load_best_model_at_end": True}


def task_of(**evaluate: object) -> Task:
    return read_task(splits(), DATA, EvaluatePart.model_validate({"task": "number", **evaluate}))


@pytest.mark.parametrize("metric", ["loss", "mae", "mse", "green", "parse_rate"])
def test_what_is_measured_while_training_may_choose_the_best(metric):
    part = TrainPart(metric_for_best_model=f"validation_{metric}", **BEST)
    check_measured(part, task_of())


def test_a_metric_that_nothing_measures_is_refused_with_those_that_are():
    part = TrainPart(metric_for_best_model="validation_mea", **BEST)
    with pytest.raises(InputError, match="'validation_mea' is not measured") as caught:
        check_measured(part, task_of())
    assert "validation_mae, validation_mse" in caught.value.fix
    check_measured(part.model_copy(update={"load_best_model_at_end": False}), task_of())
