import pytest

from nybble.recipe.evaluate_part import EvaluatePart
from nybble.recipe.load import parse_recipe
from nybble.runs.errors import InputError

LEAST = "name: a\nmodel: {base: b}\ndata: {train: c}\nevaluate: "


def part(text: str) -> EvaluatePart:
    return parse_recipe(LEAST + text, "mine.yaml", []).evaluate


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("{task: number}", "mae"),
        ("{task: code}", "pass@1"),
        ("{task: label}", "accuracy"),
        ("{task: text}", "chrf"),
        ("{task: loss}", "loss"),
        ("{task: text, metric: rouge_l}", "rouge_l"),
        ("{task: code, metric: pass@10, samples: 20, temperature: 0.8}", "pass@10"),
        ("{task: number, metric: 'my/own.py:rms'}", "rms"),
        ("{size: 0}", ""),
    ],
)
def test_the_headline_is_the_tasks_default_or_what_is_asked(text: str, headline: str) -> None:
    assert part(text).headline == headline


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{task: number, metric: chrf}", "metric must be mae, mse, green"),
        ("{task: code, metric: accuracy}", "metric must be pass@1, pass@10"),
        ("{task: code, metric: pass@5}", "pass@5 needs samples of at least 5"),
        ("{task: code, samples: 5}", "samples over 1 need a temperature"),
        ("{task: loss, metric: 'a.py:f'}", "a metric of one's own is none of the task loss"),
        ("{task: text, metric: 'a.py:accuracy'}", "may not be called accuracy"),
        ("{task: text, decode: median}", "decode is for the task number, not text"),
        ("{task: number, labels: [a, b]}", "labels is for the task label, not number"),
        ("{task: text, choice: likelihood}", "choice is for the task label, not text"),
        ("{task: code, floor: best}", "floor is for the task number, not code"),
        (
            "{task: text, greater_is_better: false}",
            "greater_is_better is for a metric of one's own",
        ),
        ("{task: label, labels: ['Yes', 'yes ']}", "must differ in more than case"),
        ("{task: label, labels: [only]}", "must be two or more"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        part(text)


def test_a_metric_of_ones_own_says_which_way_is_better() -> None:
    assert not part("{task: text, metric: 'a.py:f', greater_is_better: false}").greater_is_better
    assert part("{task: text, metric: 'a.py:f'}").own_metric
    assert not part("{task: text, metric: chrf}").own_metric


BEST = "{load_best_model_at_end: true, metric_for_best_model: %s}"


@pytest.mark.parametrize(
    ("metric", "evaluate", "told"),
    [
        ("mae", "{task: number, during_training: 8}", "as validation_mae one of the task's own"),
        ("validation_mae", "{task: number}", "evaluate.during_training"),
        ("validation_mae", "{during_training: 8}", "evaluate.task"),
        ("validation_mae", "{task: number, during_training: 8, size: 0}", "evaluate.size"),
    ],
)
def test_a_best_by_what_is_not_measured_is_refused(metric: str, evaluate: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse_recipe(f"{LEAST}{evaluate}\ntrain: {BEST % metric}", "mine.yaml", [])


@pytest.mark.parametrize(
    ("metric", "said", "greater"),
    [("validation_f", "", False), ("validation_f", ", greater_is_better: true", True),
     ("validation_loss", "", None)],
)  # fmt: skip
def test_a_best_by_a_metric_of_ones_own_is_the_way_that_it_says(metric, said, greater) -> None:
    own = "{task: text, metric: 'a.py:f', greater_is_better: false, during_training: 8}"
    best = (BEST % metric).replace("}", f"{said}}}")
    recipe = parse_recipe(f"{LEAST}{own}\ntrain: {best}", "mine.yaml", [])
    assert recipe.training.greater_is_better is greater
