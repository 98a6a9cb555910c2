import pytest

from nybble.report.scores import (
    agreement,
    metric_table,
    pairs,
    score_table,
    share_interval,
    slices,
)

from .compared import BASELINE, FLOOR, RIDGE, TUNED, made_up

NAMES = [TUNED, BASELINE, RIDGE, FLOOR]


def test_each_line_is_what_the_comparison_says():
    comparison, _ = made_up()
    lines = score_table(comparison)
    for line, model in zip(lines, comparison["models"], strict=True):
        assert line["value"] == {key: model[key] for key in ("value", "low", "high")}
        assert line["parsed_only"] == model["parsed_only"]
        assert line["parse_rate"]["value"] == model["parse_rate"]
        assert [part["value"] for part in line["colours"]] == [
            model["metrics"][colour] for colour in ("green", "orange", "red")
        ]
    assert [line["cost_dollars"] for line in lines] == [None, 0.0123, None, None]


def test_a_metric_over_too_few_rows_to_have_an_interval_is_left_out():
    comparison, _ = made_up()
    comparison["models"][0]["parsed_only"] = {"n": 1, "value": None, "low": None, "high": None}
    assert score_table(comparison)[0]["parsed_only"] is None


def test_every_other_metric_is_in_the_second_table():
    comparison, _ = made_up()
    comparison["models"][0]["metrics"] |= {"mine": 3.0, "pass@10": 0.5}
    found = metric_table(comparison, {TUNED: {"r2": {"low": 0.4, "high": 0.6}}})
    titles = [one["title"] for one in found["measures"]]
    assert titles == ["Mean squared error", "r²", "mine", "pass@10"]
    mse, r2, mine, passed = found["lines"][0]
    assert mse == {"value": comparison["models"][0]["metrics"]["mse"]}
    assert r2 == {"value": 0.5, "low": 0.4, "high": 0.6}
    assert mine == {"value": 3.0}
    assert (passed["low"], passed["high"]) == share_interval(0.5, 60)
    assert found["lines"][1][1:] == [{"value": 0.5}, None, None]


def test_without_other_metrics_there_is_no_second_table():
    comparison, _ = made_up(task="text")
    assert metric_table(comparison, {}) is None


def test_a_difference_that_only_the_correction_leaves_open_says_so():
    comparison, _ = made_up()
    first, second = comparison["pairs"][:2]
    assert first["outcome"] == "better"
    second["outcome"] = "undecided"
    found = pairs(comparison)
    assert [pair["corrected"] for pair in found[:2]] == [False, True]
    first["difference"] = {"value": -1, "low": -2, "high": 1}
    first["outcome"] = "undecided"
    assert not pairs(comparison)[0]["corrected"]


def test_slices_are_grouped_by_what_they_were_made_by():
    comparison, _ = made_up()
    comparison["slices"].append({"by": "length", "slice": 3, "n": 9, "models": {}})
    first, second = slices(comparison, NAMES)
    assert (first["by"], [line["slice"] for line in first["lines"]]) == (
        "category", ["toys", "garden", "books"],
    )  # fmt: skip
    assert first["lines"][0]["models"][1] == comparison["slices"][0]["models"][BASELINE]
    assert second["lines"] == [{"slice": "3", "n": 9, "models": [None] * 4}]


def test_agreement_is_a_symmetric_matrix_with_intervals():
    comparison, _ = made_up()
    comparison["agreement"][0]["share"] = 0.5
    found = agreement(comparison, NAMES)
    assert found[0][1] == found[1][0]
    assert found[0][1]["value"] == 0.5
    assert (found[0][1]["low"], found[0][1]["high"]) == share_interval(0.5, 60)
    assert found[0][0] is None
    assert agreement({**comparison, "agreement": []}, NAMES) is None


def test_wilsons_interval():
    low, high = share_interval(0.5, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert share_interval(0.0, 10)[0] == 0.0
    assert share_interval(1.0, 10)[1] == pytest.approx(1.0)
