"""`bundled:catalogue`: shop items whose price follows a hidden rule plus noise.

The rule multiplies what a buyer would weigh: the kind of thing, how much of its key quantity it
offers, the brand (which counts for more on a watch than on a rug), material, wear, pack size and
extras. Noise is log-normal, so the rule's own value is the median of an item's price and the best
guess there is under absolute error: the mean of |price - fair_price| is the noise floor.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NOISE_SIGMA = 0.10
MOST_NOISE_SIGMAS = 3.0
CHEAPEST_FAIR, DEAREST_FAIR = 4.0, 700.0


@dataclass(frozen=True)
class Kind:
    """A kind of thing: its base price in dollars at the middle of its key quantity's range."""

    noun: str
    base: float
    quantity: str
    low: int
    high: int
    exponent: float
    brand_weight: float
    wear_weight: float
    group: str


KINDS = (
    Kind("headphones", 90, "{} hours of battery", 6, 70, 0.35, 1.3, 1.1, "hard"),
    Kind("desk lamp", 38, "{} watts", 4, 40, 0.30, 0.5, 0.6, "home"),
    Kind("backpack", 55, "{} liters of room", 12, 80, 0.55, 0.9, 0.9, "soft"),
    Kind("office chair", 150, "holds up to {} kg", 80, 200, 0.90, 0.7, 0.8, "home"),
    Kind("monitor", 190, "{} inch screen", 15, 55, 1.50, 0.6, 1.0, "hard"),
    Kind("keyboard", 60, "{} keys", 44, 120, 0.40, 1.1, 1.2, "hard"),
    Kind("drill", 85, "{} volts", 6, 48, 0.90, 0.8, 0.7, "hard"),
    Kind("tent", 120, "sleeps {}", 1, 12, 0.75, 0.6, 1.3, "soft"),
    Kind("watch", 140, "water resistant to {} meters", 10, 400, 0.40, 1.6, 0.5, "hard"),
    Kind("speaker", 75, "{} watts of sound", 5, 160, 0.50, 1.2, 0.9, "home"),
    Kind("rug", 110, "{} cm long", 70, 400, 1.40, 0.2, 1.4, "soft"),
    Kind("blender", 65, "{} watt motor", 200, 999, 0.70, 0.7, 1.0, "home"),
    Kind("jacket", 95, "{} grams of filling", 40, 400, 0.45, 1.4, 1.2, "soft"),
    Kind("camera", 240, "{} megapixels", 8, 64, 0.70, 1.0, 0.9, "hard"),
    Kind("memory card", 28, "{} GB", 8, 512, 0.60, 0.3, 0.3, "hard"),
    Kind("teapot", 30, "{} ml", 250, 999, 0.80, 0.9, 0.7, "home"),
)

# Brand premiums are exponents: a watch (brand_weight 1.6) doubles between Okoru and Fenwick's mean.
BRAND_PREMIUM = {
    "Abrax": -0.45, "Bellmont": 0.55, "Corvid": 0.10, "Dunmere": -0.20, "Elowen": 0.35,
    "Fenwick": 0.0, "Garrow": -0.30, "Halvard": 0.65, "Ixel": -0.10, "Juniper": 0.20,
    "Kestrel": 0.45, "Lomax": -0.55, "Marlow": 0.05, "Nordby": 0.30, "Okoru": 0.50,
    "Pellar": -0.35, "Quill": -0.05, "Rivet": -0.15, "Solenne": 0.60, "Tamsin": 0.15,
}  # fmt: skip
MATERIAL_FACTOR = {
    "hard": {"plastic": 0.75, "steel": 1.10, "aluminium": 1.0, "titanium": 1.9, "carbon": 1.5},
    "soft": {"cotton": 0.9, "nylon": 1.0, "wool": 1.35, "leather": 1.8, "hemp": 0.8},
    "home": {"walnut": 1.6, "bamboo": 0.9, "glass": 1.1, "brass": 1.35, "tin": 0.7},
}
WEAR_FACTOR = {"new": 1.0, "open box": 0.85, "refurbished": 0.68, "used": 0.50, "for parts": 0.22}
WEAR_SHARE = (50, 12, 14, 18, 6)
PACK_SIZES, PACK_SHARE, PACK_EXPONENT = (1, 2, 3, 4, 6), (76, 10, 6, 5, 3), 0.9
EXTRA_FACTOR = {
    "wireless": 1.15, "waterproof": 1.12, "hand made": 1.40, "solar powered": 1.20,
    "foldable": 1.06, "with a carry case": 1.08, "without its manual": 0.95, "child sized": 0.70,
    "limited edition": 1.55, "with a dented corner": 0.80,
}  # fmt: skip
COLOURS = ("red", "blue", "green", "black", "white", "grey", "orange", "violet", "teal", "amber")


@dataclass(frozen=True)
class Item:
    """What is for sale. Colour, model number and rating say nothing about the price."""

    kind: Kind
    brand: str
    quantity: int
    material: str
    wear: str
    pack: int
    extras: tuple[str, ...]
    colour: str
    model: int
    rating: int


def fair_price(item: Item) -> float:
    """The hidden rule: the median of the item's price, in dollars."""
    kind = item.kind
    middle = math.sqrt(kind.low * kind.high)
    price = kind.base * math.pow(item.quantity / middle, kind.exponent)
    price *= math.exp(BRAND_PREMIUM[item.brand] * kind.brand_weight)
    price *= MATERIAL_FACTOR[kind.group][item.material]
    price *= math.pow(WEAR_FACTOR[item.wear], kind.wear_weight)
    price *= math.pow(item.pack, PACK_EXPONENT)
    for extra in item.extras:
        price *= EXTRA_FACTOR[extra]
    return price


def draw_item(rng: random.Random) -> Item:
    """An item at random; quantities are log-uniform over the range of its kind."""
    kind = rng.choice(KINDS)
    quantity = round(math.exp(rng.uniform(math.log(kind.low), math.log(kind.high))))
    return Item(
        kind=kind,
        brand=rng.choice(tuple(BRAND_PREMIUM)),
        quantity=quantity,
        material=rng.choice(tuple(MATERIAL_FACTOR[kind.group])),
        wear=rng.choices(tuple(WEAR_FACTOR), WEAR_SHARE)[0],
        pack=rng.choices(PACK_SIZES, PACK_SHARE)[0],
        extras=tuple(rng.sample(tuple(EXTRA_FACTOR), rng.choices((0, 1, 2), (50, 35, 15))[0])),
        colour=rng.choice(COLOURS),
        model=rng.randint(100, 999),
        rating=rng.randint(20, 99),
    )


def describe(item: Item, rng: random.Random) -> str:
    """The item as a seller might write it: the same facts in many wordings and orders."""
    noun, brand = item.kind.noun, item.brand
    head = rng.choice(
        (
            f"{brand} {noun}",
            f"{brand} {noun} in {item.colour}",
            f"{item.colour} {noun} by {brand}",
            f"{noun} from {brand}, model {item.model}",
        )
    )
    facts = [item.kind.quantity.format(item.quantity), *item.extras]
    facts.append(rng.choice(("made of {}", "{} body", "in {}")).format(item.material))
    if item.wear != "new" or rng.random() < 0.3:
        facts.append(rng.choice(("{}", "condition: {}", "sold as {}")).format(item.wear))
    if item.pack > 1:
        facts.append(rng.choice(("pack of {}", "set of {}", "{} pieces")).format(item.pack))
    if rng.random() < 0.2:
        facts.append(f"liked by {item.rating} of 100 buyers")
    rng.shuffle(facts)
    return head + rng.choice((", ", ". ")) + ", ".join(facts) + "."


def catalogue(rows: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`rows` rows of `text`, `kind`, `brand`, `price` (whole dollars, 1 to 999) and `fair_price`.

    `fair_price` is the rule's own value: what a perfect predictor would answer. The same seed gives
    the same rows, and more rows begin with the fewer ones.
    """
    rng = random.Random(f"catalogue {seed}")
    made = 0
    while made < rows:
        item = draw_item(rng)
        fair = fair_price(item)
        if not CHEAPEST_FAIR <= fair <= DEAREST_FAIR:
            continue
        noise = rng.gauss(0.0, NOISE_SIGMA)
        bound = MOST_NOISE_SIGMAS * NOISE_SIGMA
        price = fair * math.exp(max(-bound, min(bound, noise)))
        yield {
            "text": describe(item, rng),
            "kind": item.kind.noun,
            "brand": item.brand,
            "price": round(price),
            "fair_price": round(fair, 2),
        }
        made += 1
