import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.recipe.train_part import TrainPart
from nybble.runs.errors import InputError
from nybble.training.best import Best, greater_is_better

VALUES = st.lists(st.one_of(st.floats(-5, 5), st.just(float("nan"))), min_size=1, max_size=20)


def part(**fields) -> TrainPart:
    return TrainPart(**({"load_best_model_at_end": True} | fields))


def seen(values, which: TrainPart) -> list[Best]:
    found = [Best()]
    for step, value in enumerate(values, 1):
        found.append(found[-1].after(step, {which.metric_for_best_model: value}, which))
    return found[1:]


@given(VALUES, st.booleans())
def test_the_best_is_the_first_of_the_least_or_greatest(values, greater) -> None:
    which = part(metric_for_best_model="score", greater_is_better=greater)
    finite = [(v if greater else -v, -step) for step, v in enumerate(values, 1) if v == v]
    best = seen(values, which)[-1]
    assert best.step == (-max(finite)[1] if finite else 0)


@given(VALUES, st.floats(0, 2), st.integers(1, 4))
def test_patience_counts_as_transformers_does(values, threshold, patience) -> None:
    """By the words of its EarlyStoppingCallback: beside the best before, by more than so much."""
    which = part(early_stopping_patience=patience, early_stopping_threshold=threshold)
    best, count = None, 0
    for value, found in zip(values, seen(values, which), strict=True):
        better = best is None or value < best
        if value == value and better and (best is None or abs(value - best) > threshold):
            count = 0
        else:
            count += 1
        if value == value and better:
            best = value
        assert found.unimproved == count
        assert found.over(which) == (count >= patience)


@pytest.mark.parametrize(
    ("metric", "greater"),
    [("validation_loss", False), ("mae", False), ("rouge_l", True), ("pass@1", True),
     ("squared_error", False), ("exact_match", True), ("validation_rmsle", False),
     ("validation_red", False), ("validation_green", True), ("scored", True)],
)  # fmt: skip
def test_which_way_is_better_follows_from_the_name(metric: str, greater: bool) -> None:
    assert greater_is_better(part(metric_for_best_model=metric)) is greater
    said = part(metric_for_best_model=metric, greater_is_better=not greater)
    assert greater_is_better(said) is not greater


def test_a_metric_that_is_not_measured_is_refused() -> None:
    with pytest.raises(InputError, match="'mae' is not measured") as refused:
        Best().after(5, {"validation_loss": 1.0}, part(metric_for_best_model="mae"))
    assert refused.value.fix == "Measured are: validation_loss."


def test_nothing_is_asked_of_a_training_that_seeks_no_best() -> None:
    plain = TrainPart(metric_for_best_model="mae")
    assert Best().after(5, {"validation_loss": 1.0}, plain) == Best()
    assert all(a.step <= b.step for a, b in pairwise(seen([3, 2, 1], TrainPart())))


def test_only_numbers_are_kept_of_the_best() -> None:
    """Its values are written into checkpoints, whose JSON has no NaN."""
    found = Best().after(5, {"validation_loss": 1.0, "validation_r2": math.nan}, part())
    assert found == Best(5, {"validation_loss": 1.0})
