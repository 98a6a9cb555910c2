from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.evaluation.comparison import compare, of_run
from nybble.evaluation.verdict import recipe_verdict, verdict

ENDING = "The intervals are over rows: they speak for this model, and `--seeds N` for its recipe."


def pair(b: str, difference: tuple[float, float, float], **changes: Any) -> dict[str, Any]:
    value, low, high = difference
    outcome = "better" if high < 0 else "worse" if low > 0 else "undecided"
    return {
        "a": "tuned model", "b": b, "difference": {"value": value, "low": low, "high": high},
        "p": 0.01, "p_holm": 0.02, "outcome": outcome, "rows_to_settle": None, **changes,
    }  # fmt: skip


def result(*pairs: dict[str, Any], read: tuple[float, ...] = (1.0, 1.0), **changes: Any) -> Any:
    """A run's comparison as read back from disk: the tuned model against each of `pairs`."""
    names = ["tuned model", *(one["b"] for one in pairs)]
    rates = [*read, *[1.0] * len(names)]
    models = [{"name": name, "parse_rate": rate} for name, rate in zip(names, rates, strict=False)]
    return {
        "task": "number", "metric": "mae", "n": 1000, "higher_is_better": False,
        "tuned_name": "tuned model", "baseline_name": names[1], "floor_name": None,
        "tuned": {"value": 14.2, "low": 13.1, "high": 15.4},
        "references": {one["b"]: {"value": 10.0} for one in pairs[1:]},
        "models": models, "pairs": list(pairs), **changes,
    }  # fmt: skip


def test_it_says_better_with_its_interval() -> None:
    assert verdict(result(pair("few-shot base", (-95.3, -99.0, -91.2)))) == (
        "On 1,000 held-out rows the tuned model is off by 14.2 on average (95% interval 13.1 to "
        "15.4), 95.3 less than the few-shot base (paired difference -95.3, -99.0 to -91.2): "
        f"better. {ENDING}"
    )


def test_it_says_worse() -> None:
    said = verdict(result(pair("few-shot base", (3.0, 1.0, 5.0))))
    assert "3.00 more than the few-shot base" in said
    assert ": worse." in said


def test_it_says_undecided_how_wide_and_what_would_settle_it() -> None:
    said = verdict(result(pair("few-shot base", (-3.0, -7.0, 1.0), rows_to_settle=5300)))
    assert "no difference from the few-shot base shown" in said
    assert "-7.00 to 1.00, includes zero" in said
    assert "5,300 rows would likely show it" in said


def test_it_says_when_only_the_correction_leaves_it_open() -> None:
    open_pair = pair("few-shot base", (-3.0, -5.9, -0.1), outcome="undecided", p_holm=0.12)
    said = verdict(result(open_pair, pair("ridge", (-9.0, -10.0, -8.0))))
    assert "no difference from the few-shot base shown" in said
    assert "corrected for 2 comparisons p is 0.120" in said


@given(*[st.floats(-1e5, 1e5)] * 3)
def test_it_never_claims_what_the_interval_leaves_open(a: float, b: float, c: float) -> None:
    low, value, high = sorted((a, b, c))
    said = verdict(result(pair("few-shot base", (value, low, high))))
    assert ("better" in said) == (high < 0)
    assert ("worse" in said) == (low > 0)
    assert ("no difference" in said) == (low <= 0 <= high)


def test_it_sorts_every_reference() -> None:
    said = verdict(
        result(
            pair("few-shot base", (-9.0, -9.5, -8.5)),
            pair("constant", (-30.0, -31.0, -29.0)),
            pair("ridge", (-20.0, -21.0, -19.0)),
            pair("twin", (0.0, -1.0, 1.0)),
            pair("oracle", (5.0, 4.0, 6.0)),
        )
    )
    assert (
        "It beats the constant (-30.0, -31.0 to -29.0) and the ridge (-20.0, -21.0 to -19.0); it "
        "shows no difference from the twin (0, -1.00 to 1.00); it does worse than the oracle "
        "(5.00, 4.00 to 6.00)."
    ) in said


def test_it_tells_of_answers_that_held_no_number() -> None:
    base = pair("few-shot base", (-9.0, -9.5, -8.5))
    assert "no number" not in verdict(result(base))
    both = verdict(result(base, read=(0.995, 0.9)))
    assert (
        "better; 10.0% of the few-shot base's and 0.500% of the tuned model's answers held "
        "no number."
    ) in both
    one = verdict(result(base, read=(1.0, 0.25)))
    assert "better; 75.0% of the few-shot base's answers held no number." in one


def test_the_floor_is_no_competitor_but_a_measure() -> None:
    floor = pair("noise floor", (4.2, 4.0, 4.4))
    said = verdict(result(pair("base", (-9.0, -9.5, -8.5)), floor, floor_name="noise floor"))
    assert "worse" not in said
    assert "A perfect predictor is off by 10.0 on average, the noise floor" in said
    assert "at 1.42 times that" in said


def test_shares_are_said_in_percent() -> None:
    said = verdict(
        result(
            pair("few-shot base", (0.123, 0.05, 0.2), outcome="better"),
            task="label", metric="accuracy", higher_is_better=True,
            tuned={"value": 0.812, "low": 0.78, "high": 0.84},
        )
    )  # fmt: skip
    assert "the tuned model gets 81.2% right (95% interval 78.0 to 84.0)" in said
    assert "12.3 points more than the few-shot base" in said
    assert "(paired difference 12.3 points, 5.00 to 20.0): better" in said


def test_among_models_the_best_estimate_is_the_subject(shop) -> None:
    contenders = shop.contenders({"far": 100.0, "near": 5.0, "as near": 5.0})
    said = compare(shop.task, contenders, 0)["verdict"]
    assert said.startswith("On 200 rows ")
    subject, other = ("near", "as near") if "rows near" in said else ("as near", "near")
    assert f"rows {subject} is off by" in said and "the best of 3 by its estimate" in said
    assert "It beats far (-" in said
    assert f"shows no difference from {other} (" in said


def test_models_of_one_value_share_the_best_place(shop) -> None:
    """As one model does under two names."""
    same = [shop.contender(name, shop.truth + 3) for name in ("one", "other")]
    said = compare(shop.task, [*same, shop.contender("far", shop.truth + 90)], 0)["verdict"]
    assert ", level with other as the best of 3 by its estimate." in said


def test_a_perfect_predictor_is_not_called_the_best(shop) -> None:
    found = compare(shop.task, shop.contenders({"near": 5.0, "noise floor": 1.0}), 0)
    said = verdict(found | {"floor_name": "noise floor"})
    assert said.startswith("On 200 rows near is off by") and "noise floor" not in said


def test_a_pair_is_turned_round_where_it_was_tested_the_other_way(shop) -> None:
    contenders = shop.contenders({"far": 100.0, "near": 5.0})
    comparison = compare(shop.task, contenders, 0)
    assert (comparison["pairs"][0]["a"], comparison["pairs"][0]["outcome"]) == ("far", "worse")
    assert "near is off by" in comparison["verdict"]
    assert "It beats far (-" in comparison["verdict"]


def test_a_model_against_itself_differs_by_nothing(shop) -> None:
    one, same = (shop.contender(name, shop.truth + 3) for name in ("tuned", "same"))
    found = of_run(compare(shop.task, [one, same], 0), "tuned", "same")
    assert found["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert "no difference" in found["verdict"]


@pytest.mark.parametrize(
    ("difference", "ending"),
    [
        ((-3.0, -4.0, -2.0), "the recipe is better."),
        ((3.0, 2.0, 4.0), "the recipe is worse."),
        ((3.0, -1.0, 7.0), "no difference is shown for the recipe."),
    ],
)
def test_seeds_speak_for_the_recipe(difference, ending) -> None:
    seeds = {
        "n": 2, "metric": "mae", "mean": 14.5, "sd": 0.7, "baseline_name": "few-shot base",
        "by_seed": {"42": 14.0, "43": 15.0},
        "difference": dict(zip(("value", "low", "high"), difference, strict=True)),
    }  # fmt: skip
    said = recipe_verdict(seeds, higher_is_better=False)
    assert "Over 2 seeds the recipe's models are off by 14.5 on average" in said
    assert "14.0 (seed 42), 15.0 (seed 43)" in said
    assert said.endswith(ending)


def test_the_verdict_on_random_models_follows_their_pairs(make_shop) -> None:
    for seed in range(5):
        shop = make_shop(40, seed)
        noises = {f"m{i}": float(noise) for i, noise in enumerate(np.geomspace(3, 40, 4))}
        found = compare(shop.task, shop.contenders(noises), seed)
        decided = sum(one["outcome"] != "undecided" for one in found["pairs"])
        assert ("beats" in found["verdict"]) <= (decided > 0)
        assert "worse" not in found["verdict"] or decided
