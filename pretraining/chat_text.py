"""Plain conversations, as lists of messages: about items, numbers and code."""

import random

from item_text import RULES
from numbers_text import NAMES
from nybble.mini import catalogue as shop

SYSTEMS = ("You are a helpful assistant.", "Answer briefly.", "You work in a shop.",
           "Be polite and exact.")  # fmt: skip
GREETINGS = (("Hello!", "Hello. What can I do for you?"), ("Hi there.", "Hi. How can I help?"),
             ("Good morning.", "Good morning. What do you need?"))  # fmt: skip
THANKS = (("Thanks.", "You are welcome."), ("Thank you!", "Glad to help."),
          ("That is all.", "Goodbye."))  # fmt: skip


def _about_item(rng: random.Random) -> list[tuple[str, str]]:
    item = shop.draw_item(rng)
    rule = rng.choice(RULES)
    questions = [
        ("Who makes it?", f"It is made by {item.brand}."),
        ("What is it made of?", f"It is made of {item.material}."),
        ("What condition is it in?", f"Its condition is: {item.wear}."),
        (
            "How many pieces are there?",
            f"There {'is 1' if item.pack == 1 else f'are {item.pack}'}.",
        ),
        ("What is it?", f"It is a {item.kind.noun}."),
        (f"{rule.name}?", f"{rule.number(item, rng)}"),
    ]
    asked = rng.sample(questions, rng.randint(1, 3))
    opening = f"{shop.describe(item, rng)} {asked[0][0]}"
    return [(opening, asked[0][1]), *asked[1:]]


def _about_numbers(rng: random.Random) -> list[tuple[str, str]]:
    a, b = rng.randint(0, 60), rng.randint(0, 60)
    name = rng.choice(NAMES)
    return [
        rng.choice(
            (
                (f"What is {a} plus {b}?", f"{a} plus {b} is {a + b}."),
                (f"Which is more, {a} or {b}?", f"{max(a, b)} is more."),
                (f"{name} had {a + b} apples and ate {a}. How many are left?", f"{b} are left."),
                (f"Count from {a} to {a + 4}.", ", ".join(str(a + i) for i in range(5)) + "."),
            )
        )
    ]


def conversation(rng: random.Random) -> list[dict[str, str]]:
    """Two to twelve messages; a system message in a third of them."""
    turns = [rng.choice(GREETINGS)] if rng.random() < 0.3 else []
    for _ in range(rng.choice((1, 1, 2))):
        turns += rng.choice((_about_item, _about_item, _about_numbers))(rng)
    if rng.random() < 0.3:
        turns.append(rng.choice(THANKS))
    messages = [{"role": "system", "content": rng.choice(SYSTEMS)}] if rng.random() < 0.33 else []
    for question, answer in turns:
        messages += [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    return messages
