import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from nybble.evaluation.comparison import compare, of_run
from nybble.evaluation.contender import Contender
from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.own_metric import OwnMetric
from nybble.evaluation.slices import slicings
from nybble.evaluation.statistics import holm, mcnemar, paired_interval, permutation
from nybble.evaluation.task import Item, Judged
from nybble.evaluation.tasks.label import LabelTask
from nybble.evaluation.tasks.loss import LossTask
from nybble.runs.errors import InputError

NOISES = {"few-shot base": 120.0, "tuned": 10.0, "twin": 10.0, "floor": 1.0}
PRICES = Thresholds(40, 0.2, 80, 0.4)


@pytest.fixture(scope="module")
def contenders(make_shop) -> list[Contender]:
    shop = make_shop()
    constant = shop.contender("constant", [shop.task.fallback] * len(shop.truth))
    return [*shop.contenders(NOISES), constant]


@pytest.fixture(scope="module")
def found(make_shop, contenders) -> dict[str, Any]:
    pairs = [("tuned", one.name) for one in contenders if one.name != "tuned"]
    shop = make_shop()
    comparison = compare(shop.task, contenders, 0, slicings(shop.items, ["kind"], "number"), pairs)
    return of_run(comparison, "tuned", "few-shot base", "floor", PRICES)


def test_it_holds_what_the_design_says_and_only_finite_numbers(found) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["task"], found["metric"], found["n"]) == ("number", "mae", 200)
    assert list(found["references"]) == ["twin", "floor", "constant"]
    assert found["parse_rate"] == {"baseline": 1.0, "tuned": 1.0}
    assert (found["baseline_name"], found["tuned_name"]) == ("few-shot base", "tuned")
    assert found["floor_name"] == "floor"
    for part in (found["baseline"], found["tuned"], found["difference"]):
        assert list(part) == ["value", "low", "high"]


def test_values_agree_with_scikit_learn(found, contenders) -> None:
    values = {model["name"]: model["value"] for model in found["models"]}
    for one in contenders:
        truth = np.array([judged.truth for judged in one.judged])
        guess = np.array([judged.value for judged in one.judged])
        assert values[one.name] == pytest.approx(mean_absolute_error(truth, guess))
        assert found["mse"][one.name] == pytest.approx(mean_squared_error(truth, guess))
        assert found["r2"][one.name] == pytest.approx(r2_score(truth, guess))
        assert sum(found["colours"][one.name].values()) == pytest.approx(1.0)


def test_differences_are_paired_and_tuned_minus_the_other(found, contenders) -> None:
    scores = {one.name: one.scores for one in contenders}
    for pair in found["pairs"]:
        expected = paired_interval(scores["tuned"], scores[pair["b"]], 0).as_json()
        assert pair["difference"] == expected
    assert found["difference"]["high"] < 0 < found["references"]["floor"]["difference"]["low"]


def test_p_values_are_corrected_for_the_number_of_pairs(found) -> None:
    pairs = found["pairs"]
    assert [pair["p_holm"] for pair in pairs] == holm([pair["p"] for pair in pairs])
    assert {pair["test"] for pair in pairs} == {"bootstrap"}


def test_only_what_is_open_says_how_many_rows_would_settle_it(found) -> None:
    for pair in found["pairs"]:
        assert (pair["rows_to_settle"] is None) == (pair["outcome"] != "undecided")
    (open_pair,) = [pair for pair in found["pairs"] if pair["outcome"] == "undecided"]
    assert open_pair["b"] == "twin"
    assert open_pair["rows_to_settle"] > 200


def test_a_difference_that_correction_leaves_open_is_not_shown(make_shop) -> None:
    shop = make_shop(60)
    error = 20 + shop.rng.normal(0, 5, 60)
    ahead = shop.contender("ahead", shop.truth + error)
    noise = shop.rng.normal(0, 1, 60)
    behind = 1.2 + 4 * (noise - noise.mean()) / noise.std()
    close = shop.contender("close", shop.truth + error + behind)
    alone = compare(shop.task, [ahead, close], 0)["pairs"][0]
    assert alone["outcome"] == "better" and 0.001 < alone["p"] < 0.05
    twins = [shop.contender(f"twin {i}", shop.guesses(10)) for i in range(8)]
    crowded = compare(shop.task, [ahead, close, *twins], 0)["pairs"][0]
    assert crowded["p"] == alone["p"] and crowded["p_holm"] >= 0.05
    assert crowded["outcome"] == "undecided"


def test_an_unread_answer_counts_as_the_constant_and_is_shown_apart(shop) -> None:
    guesses = [None if i < 50 else true for i, true in enumerate(shop.truth)]
    (model,) = compare(shop.task, [shop.contender("shy", guesses)], 0)["models"]
    errors = np.abs(shop.truth[:50] - shop.task.fallback)
    assert model["value"] == pytest.approx(errors.sum() / 200)
    assert model["parse_rate"] == 0.75
    assert model["parsed_only"] == {"n": 150, "value": 0.0, "low": 0.0, "high": 0.0}


def test_a_model_that_is_never_read_has_no_value_of_its_own(shop) -> None:
    silent = shop.contender("silent", [None] * 200)
    (model,) = compare(shop.task, [silent], 0)["models"]
    assert model["parsed_only"] == {"n": 0, "value": None, "low": None, "high": None}
    constant = shop.contender("constant", [shop.task.fallback] * 200)
    assert compare(shop.task, [silent, constant], 0)["pairs"][0]["difference"]["value"] == 0.0


def labelled(name: str, right: list[bool]) -> Contender:
    task = LabelTask(("yes", "no"), "yes")
    items = [Item(i, "?", "yes") for i in range(len(right))]
    return Contender(name, "adapter", task.judge(items, [("yes" if r else "no",) for r in right]))


def test_passed_or_not_is_tested_by_mcnemar() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(80) < 0.8, rng.random(80) < 0.5
    task = LabelTask(("yes", "no"), "yes")
    (pair,) = compare(task, [labelled("a", a.tolist()), labelled("b", b.tolist())], 0)["pairs"]
    assert (pair["test"], pair["p"]) == ("mcnemar", mcnemar(a, b))
    assert pair["outcome"] == "better"
    assert pair["difference"]["value"] == pytest.approx(a.mean() - b.mean())


def test_right_or_wrong_by_a_metric_of_ones_own_is_exact() -> None:
    base = LabelTask(("yes", "no"), "yes")
    task = OwnMetric(base, lambda said, truth, row: float(said == truth), "", "hit", True, "yes")
    some, none = labelled("some", [True] * 8 + [False] * 32), labelled("none", [False] * 40)
    found = compare(task, [some, none], 0)
    assert found["pairs"][0]["test"] == "mcnemar"
    assert found["models"][1]["high"] == pytest.approx(1 - 0.025 ** (1 / 40))
    assert all(0 <= low <= high <= 1 for _, _, low, high in found["running"]["some"])


def test_few_rows_are_tested_by_flipping_signs(make_shop) -> None:
    shop = make_shop(12)
    few = shop.contenders({"a": 5.0, "b": 50.0})
    (pair,) = compare(shop.task, few, 0)["pairs"]
    assert (pair["test"], pair["p"]) == ("permutation", permutation(few[0].scores, few[1].scores))


def test_a_loss_is_weighed_by_its_tokens(shop) -> None:
    judged = [Judged(i, "", "", 1.0, "", score, weight) for i, (score, weight) in
              enumerate([(1.0, 1.0), (3.0, 9.0), (2.0, 5.0)])]  # fmt: skip
    (model,) = compare(LossOnly(), [Contender("a", "base", judged)], 0)["models"]
    assert model["value"] == pytest.approx((1 + 27 + 10) / 15)
    assert model["low"] < model["value"] < model["high"]


class LossOnly:
    name, metric, higher_is_better = "loss", "loss", False

    def metrics(self, judged):
        return {}


def test_losses_over_other_tokens_are_not_compared() -> None:
    one = [Judged(i, "", "", 1.0, "", 1.0, 4.0 + i) for i in range(3)]
    other = [Judged(i, "", "", 1.0, "", 1.0, 5.0 + i) for i in range(3)]
    with pytest.raises(InputError, match="count other tokens"):
        compare(LossOnly(), [Contender("a", "base", one), Contender("b", "base", other)], 0)


def test_agreement_and_slices_are_of_all_models(found) -> None:
    assert len(found["agreement"]) == 10
    assert all(0 <= entry["share"] <= 1 for entry in found["agreement"])
    kinds = [part for part in found["slices"] if part["by"] == "kind"]
    assert [(part["slice"], part["n"]) for part in kinds] == [("a", 100), ("b", 100)]
    assert all(len(part["models"]) == 5 for part in found["slices"])
    assert {part["by"] for part in found["slices"]} == {
        "kind", "true value", "characters of the prompt",
    }  # fmt: skip


def test_the_running_estimate_ends_at_the_whole(found) -> None:
    for model in found["models"]:
        n, value, *_ = found["running"][model["name"]][-1]
        assert (n, value) == (200, pytest.approx(model["value"]))


def test_what_cannot_be_compared_is_refused(make_shop) -> None:
    shop = make_shop(20)
    a, b = shop.contenders({"a": 5.0, "b": 5.0})
    with pytest.raises(InputError, match="same name"):
        compare(shop.task, [a, a], 0)
    with pytest.raises(InputError, match="no model"):
        compare(shop.task, [], 0)
    other = Contender("b", "base", [*b.judged[1:], b.judged[0]])
    with pytest.raises(InputError, match="other rows"):
        compare(shop.task, [a, other], 0)
    with pytest.raises(InputError, match="no predictions of 'nobody'"):
        of_run(compare(shop.task, [a, b], 0), "a", "nobody")
    single = [Contender(one.name, "base", one.judged[:1]) for one in (a, b)]
    with pytest.raises(InputError):
        compare(shop.task, single, 0)


def test_rows_to_settle_a_loss_are_those_of_its_ratio() -> None:
    """Long rows have more of the difference; of the loss per token, all say the same."""

    def of(name: str, loss: float) -> Contender:
        rows = enumerate((2, 30, 500, 7))
        return Contender(name, "base", [Judged(i, "", "", loss, "", loss, n) for i, n in rows])

    (pair,) = compare(LossTask(), [of("a", 1.5), of("b", 1.25)], 0)["pairs"]
    assert pair["outcome"] == "undecided"
    assert pair["rows_to_settle"] == 6


@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("weight", [1, 3])
def test_no_interval_of_an_error_holds_what_no_error_can_be(equal: bool, weight: int) -> None:
    losses = enumerate([2.0, 2.0, 2.0] if equal else [0.1, 2.0, 9.0])
    judged = [Judged(i, "", "", loss, "", loss, weight) for i, loss in losses]
    (model,) = compare(LossTask(), [Contender("a", "base", judged)], 0)["models"]
    assert 0.0 <= model["low"] <= model["value"] <= model["high"] < np.inf
    assert (model["low"] == model["high"]) == equal
