import json

import numpy as np
import pytest

from nybble.report.answers import extremes, read_answers, scatter
from nybble.report.contents import contents


@pytest.fixture
def read(judged):
    comparison = judged.read("evaluation/comparison.json")
    predictions = judged.read("evaluation/predictions.json")
    return read_answers(judged, predictions, comparison), comparison


def test_the_tuned_model_comes_first_and_roles_are_known(read):
    answers, _ = read
    assert list(answers.values)[:2] == ["tuned model", "few-shot base"]
    assert answers.roles == {
        "tuned model": "tuned", "few-shot base": "baseline", "noise floor": "floor",
    }  # fmt: skip


def test_points_are_coloured_as_they_were_judged(read):
    answers, comparison = read
    for model in scatter(answers, comparison)["models"]:
        shares = comparison["colours"][model["name"]]
        for colour in ("green", "orange", "red"):
            assert model["colours"].count(colour[0]) == round(60 * shares[colour])


def test_the_bounds_are_those_of_the_evaluation_and_not_of_the_recipe(read):
    """`nybble evaluate RUN evaluate.green_within=1` judges by others than the recipe's."""
    answers, comparison = read
    strict = {"green_within": 0.0, "green_share": 0.0, "orange_within": 0.0, "orange_share": 1e9}
    shown = scatter(answers, {**comparison, "thresholds": strict})
    assert shown["thresholds"] == strict
    assert all(set(model["colours"]) == {"o"} for model in shown["models"])


def test_without_bounds_nothing_is_coloured(read):
    """A comparison that an earlier version wrote."""
    answers, comparison = read
    shown = scatter(answers, {k: v for k, v in comparison.items() if k != "thresholds"})
    assert all(model["colours"] is None for model in shown["models"])


def test_answers_without_a_number_are_marked(read):
    answers, comparison = read
    unread = {m["name"]: m["unread"] for m in scatter(answers, comparison)["models"]}
    assert unread == {"tuned model": [], "few-shot base": [0], "ridge": [], "noise floor": []}


def test_worst_and_best_rows_are_those_of_the_tuned_model(read):
    answers, _ = read
    errors = np.abs(answers.values["tuned model"] - answers.truth)
    shown = extremes(answers)
    worst = [errors[answers.rows.index(row["row"])] for row in shown["worst"]]
    best = [errors[answers.rows.index(row["row"])] for row in shown["best"]]
    assert worst == sorted(errors, reverse=True)[:6]
    assert best == sorted(errors)[:6]


def test_few_rows_are_not_both_best_and_worst(tmp_path, make_judged):
    folder = make_judged(tmp_path / "run", rows=5)
    shown = contents(folder)["extremes"]
    assert len(shown["best"]) == len(shown["worst"]) == 2
    assert not {row["row"] for row in shown["best"]} & {row["row"] for row in shown["worst"]}


def test_an_answer_is_shown_as_it_was_written(judged, read):
    answers, _ = read
    lines = (judged.evaluation / "tuned.jsonl").read_text().splitlines()
    written = {line["row"]: line["answer"] for line in map(json.loads, lines)}
    for row in extremes(answers)["worst"]:
        assert row["answers"][0]["text"] == written[row["row"]]
        assert row["answers"][2]["text"] is None


def test_long_texts_end_in_an_ellipsis(tmp_path, make_judged):
    shown = contents(make_judged(tmp_path / "run", text="x" * 5_000))
    assert {len(text) for text in shown["scatter"]["texts"]} == {240}
    assert shown["extremes"]["worst"][0]["text"].endswith("x…")
