"""Texts about shop items: what they are, and numbers that follow rules of their own.

No price is ever named. Each property (weight, warranty, stock, ...) follows a multiplicative rule
whose factors are drawn from a seeded generator of its own, independent of the price rule: a model
learns to read items and to answer with a number, and still has to be told what things cost.
"""

import math
import random
from dataclasses import dataclass

from nybble.mini import catalogue as shop

PROPERTIES = {
    "Weight in grams": 300, "Carton length in cm": 60, "Warranty in weeks": 90, "Stock": 120,
    "Delivery in hours": 70, "Demand index": 200, "Repair time in minutes": 80, "Parts": 40,
    "Carbon in kg": 50, "Battery cycles": 350, "Shelf number": 250, "Views per day": 150,
    "Returns per thousand": 30, "Insurance class": 25, "Age in weeks": 100, "Display points": 180,
}  # fmt: skip
MOST = 999
LAYOUTS = ("{text}\n{name}: {n}", "{text} {name}: {n}", "Item: {text}\n{name}: {n}",
           "{text}\n{name} = {n}", "{name} of this item?\n{text}\nAnswer: {n}")  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """A property's hidden factors, all multiplied; `sigma` is the spread of its noise."""

    name: str
    base: dict[str, float]
    exponent: dict[str, float]
    brand: dict[str, float]
    brand_weight: dict[str, float]
    material: dict[str, float]
    wear: dict[str, float]
    wear_weight: dict[str, float]
    pack_exponent: float
    extra: dict[str, float]
    sigma: float

    def number(self, item: shop.Item, rng: random.Random, scale: float = 1.0) -> int:
        """A whole number from 0 to 999 for this item: the rule's value, with noise."""
        kind = item.kind
        middle = 0.5 * (math.log(kind.low) + math.log(kind.high))
        log = self.base[kind.noun] + self.exponent[kind.noun] * (math.log(item.quantity) - middle)
        log += self.brand[item.brand] * self.brand_weight[kind.noun]
        log += self.material[item.material]
        log += self.wear[item.wear] * self.wear_weight[kind.noun]
        log += self.pack_exponent * math.log(item.pack)
        log += sum(self.extra[extra] for extra in item.extras)
        return min(MOST, round(scale * math.exp(log + rng.gauss(0.0, self.sigma))))


def draw_rule(name: str, middle: float, rng: random.Random) -> Rule:
    """A rule whose factors are as wide as real ones are, and independent of the price's."""
    nouns = [kind.noun for kind in shop.KINDS]
    materials = [m for group in shop.MATERIAL_FACTOR.values() for m in group]
    return Rule(
        name=name,
        base={noun: math.log(middle) + rng.gauss(0, 0.6) for noun in nouns},
        exponent={noun: rng.choice((0.0, rng.uniform(-1.0, 1.4))) for noun in nouns},
        brand={brand: rng.gauss(0, 0.35) for brand in shop.BRAND_PREMIUM},
        brand_weight={noun: rng.uniform(0, 1.6) for noun in nouns},
        material={material: rng.gauss(0, 0.3) for material in materials},
        wear={wear: rng.gauss(0, 0.4) for wear in shop.WEAR_FACTOR},
        wear_weight={noun: rng.uniform(0, 1.6) for noun in nouns},
        pack_exponent=rng.choice((0.0, 1.0, 0.9, -0.5)),
        extra={extra: rng.gauss(0, 0.2) for extra in shop.EXTRA_FACTOR},
        sigma=rng.uniform(0.03, 0.15),
    )


_seeded = random.Random("properties")
RULES = [draw_rule(name, middle, _seeded) for name, middle in PROPERTIES.items()]
FREE_NAMES = ("Points", "Value", "Score", "Number", "Result", "Amount", "Estimate", "Figure")


def property_text(rng: random.Random) -> str:
    """One item and one or two of its properties."""
    item = shop.draw_item(rng)
    text = shop.describe(item, rng)
    if rng.random() < 0.6:
        rule = rng.choice(RULES)
        return rng.choice(LAYOUTS).format(text=text, name=rule.name, n=rule.number(item, rng))
    rules = rng.sample(RULES, rng.randint(2, 5))
    return text + "".join(f"\n{rule.name}: {rule.number(item, rng)}" for rule in rules)


def list_text(rng: random.Random) -> str:
    """Several items under one name that means something else in every text: read it off the list.

    What the name stands for is one of the properties, scaled by a factor of this text's own.
    """
    rule, name, layout = rng.choice(RULES), rng.choice(FREE_NAMES), rng.choice(LAYOUTS)
    scale, money = math.exp(rng.uniform(-1.5, 1.5)), rng.choice(("", "", "$"))
    items = [shop.draw_item(rng) for _ in range(rng.randint(3, 9))]
    numbers = [rule.number(item, rng, scale) for item in items]
    while max(numbers) == MOST:
        scale /= 2
        numbers = [rule.number(item, rng, scale) for item in items]
    lines = [
        layout.format(text=shop.describe(item, rng), name=name, n=f"{money}{number}")
        for item, number in zip(items, numbers, strict=True)
    ]
    return rng.choice(("\n", "\n\n")).join(lines)


def reading_text(rng: random.Random) -> str:
    """An item and questions that its description answers."""
    item = shop.draw_item(rng)
    answers = {
        "Brand": item.brand,
        "Kind": item.kind.noun,
        "Material": item.material,
        "Condition": item.wear,
        "Pieces": str(item.pack),
        "Extras": ", ".join(sorted(item.extras)) or "none",
        "Size": item.kind.quantity.format(item.quantity),
    }
    asked = rng.sample(sorted(answers), rng.randint(2, 5))
    return shop.describe(item, rng) + "".join(f"\n{name}: {answers[name]}" for name in asked)


def comparison_text(rng: random.Random) -> str:
    """Two items and which of them has more of a property."""
    rule = rng.choice(RULES)
    pair = [shop.draw_item(rng) for _ in range(2)]
    first, second = (rule.number(item, rng) for item in pair)
    texts = [shop.describe(item, rng) for item in pair]
    more = "A" if first >= second else "B"
    return f"A: {texts[0]}\nB: {texts[1]}\nMore {rule.name.lower()}: {more} ({first}, {second})"
