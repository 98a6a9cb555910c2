import math
import random
import re
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.mini.catalogue import (
    BRAND_PREMIUM,
    CHEAPEST_FAIR,
    DEAREST_FAIR,
    EXTRA_FACTOR,
    KINDS,
    MATERIAL_FACTOR,
    PACK_EXPONENT,
    WEAR_FACTOR,
    catalogue,
    describe,
    draw_item,
    fair_price,
)

ROWS = list(catalogue(5000))


def word_of(names, text):
    """The one of `names` that stands in `text` as words of its own, or None."""
    found = [name for name in names if re.search(rf"\b{re.escape(name)}\b", text)]
    assert len(found) <= 1, (found, text)
    return found[0] if found else None


def fact(pattern, text):
    match = re.search(pattern, text)
    return match[1] if match else None


def price_by_reading(row) -> float:
    """The rule's value from what a buyer can read, with the rule written a second time."""
    text = row["text"]
    kind = next(k for k in KINDS if k.noun == row["kind"])
    quantity = int(fact(re.escape(kind.quantity).replace(r"\{\}", r"(\d+)"), text))
    rest, materials = text, MATERIAL_FACTOR[kind.group]
    logs = math.log(kind.base)
    for extra, factor in EXTRA_FACTOR.items():
        if re.search(rf"(^|[,.] ){re.escape(extra)}(?=[,.])", rest):
            logs += math.log(factor)
            rest = rest.replace(extra, "")
    logs += kind.exponent * (math.log(quantity) - (math.log(kind.low) + math.log(kind.high)) / 2)
    logs += BRAND_PREMIUM[word_of(BRAND_PREMIUM, rest)] * kind.brand_weight
    logs += math.log(materials[word_of(materials, rest)])
    wear = word_of(WEAR_FACTOR, rest) or "new"
    logs += kind.wear_weight * math.log(WEAR_FACTOR[wear])
    pack = fact(r"(?:pack|set) of (\d)", rest) or fact(r"(\d) pieces", rest) or 1
    logs += PACK_EXPONENT * math.log(int(pack))
    return math.exp(logs)


def test_everything_about_the_price_can_be_read_from_the_text():
    for row in ROWS[:2000]:
        assert price_by_reading(row) == pytest.approx(row["fair_price"], abs=0.0051), row["text"]


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), few=st.integers(0, 20), more=st.integers(0, 20))
def test_more_rows_begin_with_the_fewer_ones(seed, few, more):
    rows = list(catalogue(few + more, seed))
    assert rows[:few] == list(catalogue(few, seed))
    assert len(rows) == few + more


def test_another_seed_gives_other_rows():
    assert list(catalogue(20, 0)) == list(catalogue(20, 0))
    assert list(catalogue(20, 0)) != list(catalogue(20, 1))


def test_other_random_draws_do_not_disturb_the_rows():
    random.seed(1)
    first = list(catalogue(5))
    random.seed(2)
    assert list(catalogue(5)) == first


def test_prices_are_whole_dollars_from_1_to_999():
    assert all(isinstance(row["price"], int) and 1 <= row["price"] <= 999 for row in ROWS)
    assert all(CHEAPEST_FAIR <= row["fair_price"] <= DEAREST_FAIR for row in ROWS)


def test_the_rule_is_the_median_of_the_price():
    ratios = [row["price"] / row["fair_price"] for row in ROWS if row["fair_price"] > 20]
    # The median of 4,500 draws of exp(N(0, 0.1)) has a standard error of 0.0019.
    assert statistics.median(ratios) == pytest.approx(1.0, abs=0.008)


def test_the_noise_is_log_normal_and_cut_at_three_sigmas():
    logs = [math.log(r["price"] / r["fair_price"]) for r in ROWS if r["fair_price"] > 100]
    assert statistics.pstdev(logs) == pytest.approx(0.10, rel=0.05)
    assert max(map(abs, logs)) < 0.3 + math.log(1 + 0.5 / 70)


def test_the_noise_floor_is_eight_percent_of_the_mean_price():
    # E|exp(0.1 z) - 1| = 0.0799 for a normal z; times the mean fair price, which is independent.
    floor = statistics.fmean(abs(row["price"] - row["fair_price"]) for row in ROWS)
    mean = statistics.fmean(row["fair_price"] for row in ROWS)
    assert floor == pytest.approx(0.0798 * mean, rel=0.05)


def test_rows_name_what_the_recipes_use():
    assert set(ROWS[0]) == {"text", "kind", "brand", "price", "fair_price"}
    assert all(row["brand"] in row["text"] and row["kind"] in row["text"] for row in ROWS)


def test_no_description_tells_the_price():
    for row in ROWS[:1000]:
        assert "$" not in row["text"]
        assert "dollar" not in row["text"]


def test_colour_model_and_rating_say_nothing_about_the_price():
    item = draw_item(random.Random(3))
    others = [
        type(item)(**{**vars(item), field: value})
        for field, value in (("colour", "pink"), ("model", 1), ("rating", 99))
    ]
    assert all(fair_price(other) == fair_price(item) for other in others)


def test_one_item_is_described_in_many_ways():
    rng = random.Random(0)
    item = draw_item(rng)
    assert len({describe(item, rng) for _ in range(50)}) > 20


def test_every_kind_brand_wear_and_extra_occurs():
    texts = " ".join(row["text"] for row in ROWS)
    for word in (*BRAND_PREMIUM, *WEAR_FACTOR, *EXTRA_FACTOR, *(k.noun for k in KINDS)):
        assert word in texts
