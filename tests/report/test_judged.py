import pytest

from nybble.report.judged import judged

from .compared import BASELINE, LABELS, METRICS, RIDGE, TUNED, made_up


@pytest.mark.parametrize("task", METRICS)
def test_each_task_has_its_sections(task):
    comparison, predictions = made_up(task=task)
    found = judged(comparison, predictions)
    assert found["verdict"]["text"] == comparison["verdict"]
    assert (found["n"], found["reads"], found["task"]) == (60, 2, task)
    assert (found["confusion"] is not None) == (task == "label")
    assert len(found["running"]) == len(found["scores"]) == len(found["models"]) == 4


def test_the_badge_is_what_the_pair_of_tuned_and_baseline_shows():
    comparison, predictions = made_up()
    assert judged(comparison, predictions)["verdict"]["outcome"] == "better"
    pair = comparison["pairs"][0]
    pair["a"], pair["b"], pair["outcome"] = pair["b"], pair["a"], "better"
    assert judged(comparison, predictions)["verdict"]["outcome"] == "worse"
    pair["outcome"] = "undecided"
    assert judged(comparison, predictions)["verdict"]["outcome"] == "undecided"


def test_several_models_have_no_badge():
    comparison, predictions = made_up(own=False)
    assert judged(comparison, predictions)["verdict"]["outcome"] is None


def test_r2_counts_an_unread_answer_as_the_stand_in():
    comparison, predictions = made_up()
    found = judged(comparison, predictions)["metrics"]
    place = [one["name"] for one in found["measures"]].index("r2")
    assert all("low" in line[place] for line in found["lines"])
    del predictions["stand_in"]
    found = judged(comparison, predictions)["metrics"]
    assert ["low" in line[place] for line in found["lines"]] == [True, False, True, True]


def test_a_run_without_predictions_has_what_the_comparison_says():
    found = judged(made_up(task="label")[0], None)
    assert found["confusion"] is None
    assert len(found["pairs"]) == 6


def test_the_confusion_is_of_every_model_in_its_order():
    comparison, predictions = made_up(task="label")
    found = judged(comparison, predictions)["confusion"]
    assert set(found["truth"]) == set(LABELS)
    assert [one["name"] for one in found["models"]][:3] == [TUNED, BASELINE, RIDGE]


def test_a_running_estimate_may_have_gaps():
    comparison, predictions = made_up()
    comparison["running"] = {BASELINE: [[2, None, None, None], [3, 1.23456789, 1.0, 2.0]]}
    assert judged(comparison, predictions)["running"] == [
        {"name": BASELINE, "n": [2, 3], "value": [None, 1.23457], "low": [None, 1.0],
         "high": [None, 2.0]}
    ]  # fmt: skip
