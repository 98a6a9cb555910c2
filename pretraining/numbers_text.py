"""Texts about numbers: order, arithmetic, rounding, money in hand. No item has a price here."""

import random

NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jo", "Kim", "Leo")


def _number(rng: random.Random, most: int = 999) -> int:
    """Mostly small, sometimes up to `most`."""
    return rng.randint(0, rng.choice((10, 20, 100, 100, most)))


def sum_text(rng: random.Random) -> str:
    lines = []
    for _ in range(rng.randint(1, 6)):
        a, b = _number(rng, 499), _number(rng, 499)
        big, small = max(a, b), min(a, b)
        lines.append(
            rng.choice(
                (
                    f"{a} + {b} = {a + b}",
                    f"{big} - {small} = {big - small}",
                    f"{a % 31} * {b % 31} = {(a % 31) * (b % 31)}",
                    f"{big} is {'more than' if big > small else 'the same as'} {small}",
                    f"half of {2 * a} is {a}",
                    f"double {a} is {2 * a}",
                    f"{a} rounded to tens is {round(a, -1)}",
                    f"{a} percent of {100 * (b % 9 + 1)} is {a * (b % 9 + 1)}",
                )
            )
        )
    return "\n".join(lines)


def order_text(rng: random.Random) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        start, step = _number(rng), rng.choice((1, 1, 1, 2, 3, 5, 10, 25))
        return "Count: " + ", ".join(str(start + step * i) for i in range(rng.randint(5, 15)))
    numbers = [_number(rng) for _ in range(rng.randint(3, 9))]
    shown = ", ".join(map(str, numbers))
    if kind == 1:
        return f"Sort {shown}: " + ", ".join(map(str, sorted(numbers)))
    if kind == 2:
        return f"Largest of {shown}: {max(numbers)}. Smallest: {min(numbers)}."
    center = rng.randint(1, 990)
    near = (max(0, min(999, round(rng.gauss(center, 0.08 * center)))) for _ in range(8))
    return f"About {center}: " + ", ".join(map(str, near))


def purse_text(rng: random.Random) -> str:
    name, other = rng.sample(NAMES, 2)
    have, more = _number(rng, 480), _number(rng, 480)
    if rng.random() < 0.5:
        return (
            f"{name} has ${have} and {other} gives {name} ${more}. Now {name} has ${have + more}."
        )
    have, more = max(have, more), min(have, more)
    return f"{name} has ${have} and pays {other} ${more}. Now {name} has ${have - more}."
