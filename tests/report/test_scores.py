import numpy as np
import pytest

from nybble.report.answers import Answers
from nybble.report.contents import contents
from nybble.report.scores import r2_intervals, score_table, share_interval


def answers_of(truth, **values):
    return Answers(list(range(len(truth))), [""] * len(truth), truth, values, {}, {}, "a", {})


def test_each_line_is_what_the_comparison_says(judged):
    comparison = judged.read("evaluation/comparison.json")
    lines = score_table(comparison, None)["lines"]
    assert [line["name"] for line in lines] == [
        "tuned model", "few-shot base", "ridge", "noise floor",
    ]  # fmt: skip
    assert lines[0]["difference"] is None
    assert lines[1]["error"]["value"] == comparison["baseline"]["value"]
    assert lines[2]["difference"]["low"] == comparison["references"]["ridge"]["difference"]["low"]
    assert lines[1]["difference"]["outcome"] == "better"


def test_r2_is_the_comparisons_own(judged):
    lines = contents(judged)["scores"]["lines"]
    known = judged.read("evaluation/comparison.json")["r2"]
    for line in lines:
        assert line["r2"]["text"] == f"{known[line['name']]:.2f}"


def test_an_r2_interval_holds_its_value_and_narrows_with_rows():
    rng = np.random.default_rng(1)
    widths = []
    for n in (50, 5_000):
        truth = rng.normal(0, 1, n)
        found = r2_intervals(answers_of(truth, a=truth + rng.normal(0, 0.5, n)))["a"]
        low, high = map(float, found["between"].strip("[]").split(","))
        assert low <= float(found["text"]) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 3


def test_r2_has_no_meaning_where_the_truth_is_constant():
    truth = np.ones(50)
    assert r2_intervals(answers_of(truth, a=truth)) == {}
    assert r2_intervals(answers_of(np.arange(19.0), a=np.arange(19.0))) == {}


def test_a_dreadful_r2_is_rounded():
    truth = np.arange(50.0)
    assert r2_intervals(answers_of(truth, a=truth * 1e6))["a"]["text"].startswith("-3,")


def test_wilsons_interval():
    low, high = share_interval(0.5, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert share_interval(0.0, 10)[0] == 0.0
    assert share_interval(1.0, 10)[1] == pytest.approx(1.0)
