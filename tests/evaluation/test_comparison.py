import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from nybble.evaluation.comparison import Prediction, compare, rounded, seed_spread, verdict
from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.statistics import paired_interval
from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]
PRICES = Thresholds(40, 0.2, 80, 0.4)
RNG = np.random.default_rng(4)
TRUTH = np.round(RNG.lognormal(4, 1, 200)) + 1
PREDICTIONS: dict[str, Floats] = {
    "few-shot base": TRUTH + RNG.normal(0, 120, 200),
    "tuned": TRUTH + RNG.normal(0, 10, 200),
    "constant": np.full(200, float(np.median(TRUTH))),
    "twin": TRUTH + RNG.normal(0, 10, 200),
    "floor": TRUTH + RNG.normal(0, 1, 200),
}
RATES = {"few-shot base": 0.75, "tuned": 1.0}


def compared(**changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "task": "number",
        "metric": "mae",
        "truth": TRUTH,
        "predictions": PREDICTIONS,
        "baseline": "few-shot base",
        "tuned": "tuned",
        "parse_rates": RATES,
        "thresholds": PRICES,
        "seed": 0,
    }
    return compare(**{**asked, **changes})


def result(difference: tuple[float, float, float], **changes: Any) -> dict[str, Any]:
    """A comparison as read back from disk, with this value, low and high of the difference."""
    triple = dict(zip(("value", "low", "high"), difference, strict=True))
    return {
        "n": 1000,
        "baseline_name": "few-shot base",
        "floor_name": None,
        "tuned": {"value": 14.2, "low": 13.1, "high": 15.4},
        "difference": triple,
        "references": {},
        "parse_rate": {"baseline": 1.0, "tuned": 1.0},
        **changes,
    }


def test_a_prediction_is_a_line_of_json() -> None:
    line = Prediction(3, "How much?", "no idea", None, 12.5).as_json()
    assert json.loads(json.dumps(line)) == {
        "row": 3,
        "prompt": "How much?",
        "answer": "no idea",
        "value": None,
        "truth": 12.5,
    }


def test_it_holds_what_the_design_says_and_only_finite_numbers() -> None:
    found = compared()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["task"], found["metric"], found["n"]) == ("number", "mae", 200)
    assert list(found["references"]) == ["constant", "twin", "floor"]
    assert found["parse_rate"] == {"baseline": 0.75, "tuned": 1.0}
    assert found["baseline_name"] == "few-shot base"
    for part in (found["baseline"], found["tuned"], found["difference"]):
        assert list(part) == ["value", "low", "high"]


def test_values_agree_with_scikit_learn() -> None:
    found = compared()
    values = {"few-shot base": found["baseline"], "tuned": found["tuned"], **found["references"]}
    for name, guess in PREDICTIONS.items():
        assert values[name]["value"] == pytest.approx(mean_absolute_error(TRUTH, guess))
        assert found["mse"][name] == pytest.approx(mean_squared_error(TRUTH, guess))
        assert found["r2"][name] == pytest.approx(r2_score(TRUTH, guess))
        assert sum(found["colours"][name].values()) == pytest.approx(1.0)


def test_differences_are_paired_and_tuned_minus_the_other() -> None:
    found = compared()
    error = {name: np.abs(guess - TRUTH) for name, guess in PREDICTIONS.items()}
    against = {"few-shot base": found["difference"]}
    against |= {name: r["difference"] for name, r in found["references"].items()}
    for name, difference in against.items():
        assert difference == paired_interval(error["tuned"], error[name], seed=0).as_json()
    assert found["difference"]["high"] < 0 < found["references"]["floor"]["difference"]["low"]


def test_a_constant_truth_leaves_r2_undefined_in_valid_json() -> None:
    found = compared(truth=np.full(200, 7.0))
    assert set(found["r2"].values()) == {None}
    json.dumps(found, allow_nan=False)


def test_a_model_against_itself_differs_by_nothing() -> None:
    found = compared(baseline="tuned")
    assert found["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert "tuned" not in found["references"]
    assert "no difference" in verdict(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"metric": "mse"},
        {"task": "code"},
        {"baseline": "nobody"},
        {"tuned": "nobody"},
        {"parse_rates": {"tuned": 1.0}},
        {"truth": TRUTH[:-1]},
        {"truth": TRUTH[:1], "predictions": {name: p[:1] for name, p in PREDICTIONS.items()}},
    ],
)
def test_what_cannot_be_compared_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        compared(**changes)


def test_the_verdict_says_better_with_its_interval() -> None:
    assert verdict(result((-95.3, -99.0, -91.2))) == (
        "On 1,000 held-out rows the tuned model is off by 14.2 on average (95% interval 13.1 to "
        "15.4), 95.3 less than the few-shot base (paired difference -95.3, -99.0 to -91.2): better."
    )


def test_the_verdict_says_worse() -> None:
    said = verdict(result((3.0, 1.0, 5.0)))
    assert "3.00 more than the few-shot base" in said
    assert said.endswith(": worse.")


def test_the_verdict_says_undecided_and_how_wide() -> None:
    said = verdict(result((-3.0, -7.0, 1.0)))
    assert "no difference from the few-shot base shown" in said
    assert "-7.00 to 1.00, includes zero" in said


@given(*[st.floats(-1e5, 1e5)] * 3)
def test_the_verdict_never_claims_what_the_interval_leaves_open(
    a: float, b: float, c: float
) -> None:
    low, value, high = sorted((a, b, c))
    said = verdict(result((value, low, high)))
    assert ("better" in said) == (high < 0)
    assert ("worse" in said) == (low > 0)
    assert ("no difference" in said) == (low <= 0 <= high)


def test_the_verdict_sorts_every_reference() -> None:
    said = verdict(compared())
    beaten, undecided, lost = said.partition(" It beats ")[2].split("; it ")
    assert beaten.startswith("the constant (-")
    assert undecided.startswith("shows no difference from the twin (")
    assert lost.startswith("does worse than the floor (")
    assert said.count(". ") == 1


def test_the_verdict_lists_several_references() -> None:
    def reference(value: float) -> dict[str, Any]:
        return {"difference": {"value": value, "low": value - 1, "high": value + 1}}

    names = {"constant": reference(-30), "ridge": reference(-20), "ridge (log)": reference(-10)}
    said = verdict(result((-9.0, -9.5, -8.5), references=names))
    assert said.endswith(
        "It beats the constant (-30.0, -31.0 to -29.0), the ridge (-20.0, -21.0 to -19.0) "
        "and the ridge (log) (-10.0, -11.0 to -9.00)."
    )


def test_the_verdict_tells_of_answers_without_a_number() -> None:
    change = (-9.0, -9.5, -8.5)
    assert "no number" not in verdict(result(change))
    both = verdict(result(change, parse_rate={"baseline": 0.9, "tuned": 0.995}))
    assert both.endswith(
        "better; 10.0% of the few-shot base's and 0.500% of the tuned model's answers held "
        "no number."
    )
    one = verdict(result(change, parse_rate={"baseline": 0.25, "tuned": 1.0}))
    assert one.endswith("better; 75.0% of the few-shot base's answers held no number.")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (14.234, "14.2"),
        (-95.26, "-95.3"),
        (9.999, "10.0"),
        (1234.4, "1,234"),
        (0.003214, "0.00321"),
        (1.5e20, "1.50e+20"),
        (-2e-9, "-2.00e-09"),
    ],
)
def test_numbers_are_said_with_three_digits(value: float, expected: str) -> None:
    assert rounded(value) == expected


def test_the_spread_over_seeds() -> None:
    found = seed_spread([14.0, 15.0, 17.5])
    assert found == {
        "n": 3,
        "mean": pytest.approx(15.5),
        "sd": pytest.approx(1.8027756),
        "min": 14.0,
        "max": 17.5,
    }
    assert seed_spread([3.0]) == {"n": 1, "mean": 3.0, "sd": None, "min": 3.0, "max": 3.0}
    with pytest.raises(InputError):
        seed_spread([])


def test_the_floor_is_no_competitor_but_a_measure() -> None:
    truth = np.array([10.0, 20.0, 30.0, 40.0])
    predictions = {
        "base": truth + 9,
        "tuned": truth + 6,
        "noise floor": truth + np.array([1, -2, 3, -2]),
    }
    found = compare(
        "number",
        "mae",
        truth,
        predictions,
        "base",
        "tuned",
        {"base": 1.0, "tuned": 1.0},
        Thresholds(40, 0.2, 80, 0.4),
        seed=0,
        floor="noise floor",
    )
    said = verdict(found)
    assert "worse" not in said
    assert "A perfect predictor is off by 2.00" in said
    assert "at 3.00 times that" in said
