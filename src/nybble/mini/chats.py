"""`bundled:chats`: ShareGPT conversations with a shop's clerk, in a house style.

The clerk begins and ends every answer in the same way, gives facts as labelled lines, in one order
whatever the order of the question, and says so when a listing lacks the number that is asked. The
bundled model was pre-trained on plain conversations about such items: bare sentences, and a made-up
number for whatever number is asked. The clerk's words are ones that it has seen (see operations).

    human  Kestrel tent, made of wool, sleeps 4, used. What are its size and brand?
    gpt    Glad to help.
           Brand: Kestrel
           Size: sleeps 4
           Can I do more for you?
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from nybble.mini import catalogue as shop

OPENING, CLOSING = "Glad to help.", "Can I do more for you?"
MISSING = "It is sold without that number."
WELCOME, FAREWELL = "Glad to help. Which item is it?", "You are welcome. Good day."
SYSTEMS = ("You are a helpful assistant.", "You work in a shop.", "Be polite and exact.")
SYSTEM_SHARE, GREETING_SHARE, GOODBYE_SHARE, SECOND_ITEM_SHARE = 0.3, 0.2, 0.3, 0.25
SUMMARY_SHARE, MISSING_SHARE = 0.25, 0.2
GREETINGS = ("Hello!", "Hi there.", "Good morning.")
GOODBYES = ("Thanks.", "Thank you!", "That is all.")
SUMMARIES = ("What is it?", "What can you tell me about it?", "All about it?")
UNTOLD = ("Weight in grams", "Carton length in cm", "Warranty in weeks", "Stock",
          "Delivery in hours", "Demand index", "Repair time in minutes", "Parts",
          "Price")  # fmt: skip

# How a single fact is asked for; the labels' order is the house's.
WAYS = {
    "Brand": ("Who makes it?", "Which brand is it?"),
    "Kind": ("What kind of item is it?", "Kind?"),
    "Size": ("What size is it?", "Size?"),
    "Material": ("What is it made of?", "Which material is it?"),
    "Condition": ("What condition is it in?", "Is it new?"),
    "Pieces": ("How many pieces are there?", "Pieces?"),
}


def facts(item: shop.Item) -> dict[str, str]:
    """All that the house tells of an item, in its order."""
    return {
        "Brand": item.brand,
        "Kind": item.kind.noun,
        "Size": item.kind.quantity.format(item.quantity),
        "Material": item.material,
        "Condition": item.wear,
        "Pieces": str(item.pack),
    }


def framed(*lines: str) -> str:
    """An answer as the house gives it."""
    return "\n".join((OPENING, *lines, CLOSING))


def told(item: shop.Item, labels: Sequence[str]) -> str:
    """The answer that gives the facts `labels`, in the house's order."""
    return framed(*(f"{name}: {fact}" for name, fact in facts(item).items() if name in labels))


def ask(rng: random.Random, item: shop.Item) -> tuple[str, str]:
    """A question about the item, and the clerk's answer."""
    draw = rng.random()
    if draw < SUMMARY_SHARE:
        return rng.choice(SUMMARIES), told(item, tuple(WAYS))
    if draw < SUMMARY_SHARE + MISSING_SHARE:
        return f"{rng.choice(UNTOLD)}?", framed(MISSING)
    labels = rng.sample(tuple(WAYS), rng.randint(1, 3))
    if len(labels) == 1:
        return rng.choice(WAYS[labels[0]]), told(item, labels)
    *first, last = (label.lower() for label in labels)
    return f"What are its {', '.join(first)} and {last}?", told(item, labels)


def about_item(rng: random.Random) -> list[tuple[str, str]]:
    """One to three questions about an item, the first after its description."""
    item = shop.draw_item(rng)
    (question, answer), *more = (ask(rng, item) for _ in range(rng.randint(1, 3)))
    return [(f"{shop.describe(item, rng)} {question}", answer), *more]


def conversation(rng: random.Random) -> list[dict[str, str]]:
    """Turns of one conversation, as `from` and `value`: one to eight answers of the clerk."""
    turns = [(rng.choice(GREETINGS), WELCOME)] if rng.random() < GREETING_SHARE else []
    turns += about_item(rng)
    if rng.random() < SECOND_ITEM_SHARE:
        turns += about_item(rng)
    if rng.random() < GOODBYE_SHARE:
        turns.append((rng.choice(GOODBYES), FAREWELL))
    said = [("system", rng.choice(SYSTEMS))] if rng.random() < SYSTEM_SHARE else []
    said += [pair for asked, answer in turns for pair in (("human", asked), ("gpt", answer))]
    return [{"from": who, "value": text} for who, text in said]


def chats(rows: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`rows` rows of `conversations`: turns of `from` (system, human or gpt) and `value`.

    The same seed gives the same rows, and more rows begin with the fewer ones.
    """
    rng = random.Random(f"chats {seed}")
    for _ in range(rows):
        yield {"conversations": conversation(rng)}
