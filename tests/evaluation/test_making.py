import pytest

from nybble.evaluation.making import labels_of, make_task
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.runs.errors import InputError


def made(task: str, answers: list, **fields: object):
    return make_task(EvaluatePart.model_validate({"task": task, **fields}), answers)


def test_the_constant_guess_is_of_the_training_rows() -> None:
    assert made("number", [1.0, 2.0, 10.0]).fallback == 2.0
    assert made("label", ["b", "a", "b"]).fallback == "b"
    assert made("text", ["x", "y", "y"]).fallback == "y"


def test_labels_are_the_recipes_or_the_training_rows() -> None:
    assert labels_of(made("label", ["b", "a", "b"])) == ("a", "b")
    assert labels_of(made("label", ["b", "a"], labels=["b", "a", "c"])) == ("b", "a", "c")
    assert labels_of(made("number", [1.0])) == ()


def test_training_rows_that_are_no_labels_are_refused() -> None:
    with pytest.raises(InputError, match="1 different answers"):
        made("label", ["a", "a"])
    with pytest.raises(InputError, match="600 different answers"):
        made("label", [f"text {i}" for i in range(600)])
    with pytest.raises(InputError, match="'Spam' and 'spam'"):
        made("label", ["spam", "ham", "Spam"])


def test_labels_that_an_answer_could_not_tell_apart_are_refused() -> None:
    with pytest.raises(InputError, match=r"evaluate.labels differ .* '!' and '\?'"):
        made("label", ["!", "?"], labels=["!", "?"])


@pytest.mark.parametrize("named", [["?", "yes", "no"], []])
def test_a_label_of_marks_alone_is_refused(named) -> None:
    """An empty answer would be read as it."""
    with pytest.raises(InputError, match=r"'\?' is a label of spaces or marks alone"):
        made("label", ["?", "yes", "no"], labels=named)


@pytest.mark.parametrize(
    ("task", "metric"),
    [("number", "mse"), ("number", "green"), ("text", "rouge_l"), ("text", "exact_match")],
)
def test_the_recipe_chooses_the_headline(task: str, metric: str) -> None:
    assert made(task, [1.0], metric=metric).metric == metric


def test_the_recipe_says_how_long_a_program_may_run_and_of_how_many_one_must_pass() -> None:
    task = made("code", [], timeout=2.5, metric="pass@3", samples=4, temperature=0.5)
    assert (task.timeout, task.k) == (2.5, 3)


def test_the_recipe_chooses_how_numbers_are_read() -> None:
    assert made("number", [1.0], extract="last").extract == "last"
    assert made("number", [1.0], green_within=1).thresholds.green_within == 1
