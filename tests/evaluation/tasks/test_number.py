import numpy as np
import pytest

from nybble.evaluation.metrics.numbers import Thresholds, number_metrics
from nybble.evaluation.task import Item
from nybble.evaluation.tasks.number import NumberTask

PRICES = Thresholds(40, 0.2, 80, 0.4)
ITEMS = [Item(i, "p", truth) for i, truth in enumerate([100.0, 100.0, 100.0])]
SAID = [("It is $130",), ("no idea",), ("500 or 90",)]


def test_an_answer_without_a_number_counts_as_the_constant() -> None:
    judged = NumberTask(60.0, PRICES).judge(ITEMS, SAID)
    assert [one.value for one in judged] == [130.0, None, 500.0]
    assert [one.counted for one in judged] == [130.0, 60.0, 500.0]
    assert [one.score for one in judged] == [30.0, 40.0, 400.0]
    assert [one.detail["colour"] for one in judged] == ["green", "orange", "red"]


@pytest.mark.parametrize(
    ("metric", "scores", "higher"),
    [
        ("mae", [30, 40, 400], False),
        ("mse", [900, 1600, 160_000], False),
        ("green", [1, 0, 0], True),
    ],
)
def test_the_headline_is_the_mean_of_the_scores(metric, scores, higher) -> None:
    task = NumberTask(60.0, PRICES, metric=metric)
    judged = task.judge(ITEMS, SAID)
    assert [one.score for one in judged] == scores
    assert task.metrics(judged)[metric] == pytest.approx(np.mean(scores))
    assert task.higher_is_better == higher


def test_metrics_are_of_what_counts() -> None:
    judged = NumberTask(60.0, PRICES).judge(ITEMS, SAID)
    expected = number_metrics(np.full(3, 100.0), np.array([130.0, 60.0, 500.0]), PRICES)
    assert NumberTask(60.0, PRICES).metrics(judged) == expected


def test_a_references_number_is_read_whatever_models_are_read_by() -> None:
    task = NumberTask(60.0, PRICES, extract=r"costs (\S+)")
    assert task.judge(ITEMS[:1], [("130",)])[0].value is None
    assert task.plain().judge(ITEMS[:1], [(repr(130.25),)])[0].value == 130.25


def test_guesses_agree_where_one_is_green_for_the_other() -> None:
    task = NumberTask(60.0, PRICES)
    near, far, silent = task.judge(ITEMS, [("100",), ("300",), ("none",)])
    assert task.agree(near, near)
    assert not task.agree(near, far)
    (sixty,) = task.judge(ITEMS[:1], [("60",)])
    assert task.agree(silent, sixty)
