from nybble.report.models import models, ordered

from .compared import BASELINE, FLOOR, RIDGE, TUNED, made_up


def test_a_runs_models_have_the_colours_of_their_parts():
    found = models(made_up()[0])
    assert [(one["name"], one["role"], one["colour"]) for one in found] == [
        (TUNED, "tuned", "tuned"),
        (BASELINE, "baseline", "baseline"),
        (RIDGE, "other", "series-0"),
        (FLOOR, "floor", "floor"),
    ]
    assert [one["kind"] for one in found[:2]] == ["a run's model", "base model"]


def test_six_compared_models_have_six_colours():
    found = models(made_up(names=tuple("abcdef"), own=False)[0])
    assert len({one["colour"] for one in found}) == 6
    assert {one["role"] for one in found} == {"other"}


def test_the_tuned_model_comes_first_and_the_floor_last():
    comparison, _ = made_up()
    comparison["models"].reverse()
    comparison["models"].insert(2, {"name": "constant"})
    names = [model["name"] for model in ordered(comparison)["models"]]
    assert names == [TUNED, BASELINE, RIDGE, "constant", FLOOR]


def test_compared_models_keep_their_order():
    comparison, _ = made_up(names=("b", "a", "c"), own=False)
    assert ordered(comparison) == comparison
