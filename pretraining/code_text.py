"""Small Python tasks with solutions and assertions that hold."""

import random
from collections.abc import Callable
from typing import Any

Make = Callable[[random.Random], Any]


def _ints(rng: random.Random) -> list[int]:
    return [rng.randint(-9, 30) for _ in range(rng.randint(1, 6))]


def _int(rng: random.Random) -> int:
    return rng.randint(0, 40)


def _word(rng: random.Random) -> str:
    parts = ("an", "be", "cor", "dim", "el", "fo", "gra", "hu", "in", "lo", "ma", "ne", "sto", "ra")
    return "".join(rng.choice(parts) for _ in range(rng.randint(1, 3)))


# name, task, argument, makes an argument, expression. {k} is a small constant drawn per text.
TASKS: tuple[tuple[str, str, str, Make, str], ...] = (
    ("add_{k}", "adds {k} to a number", "n", _int, "n + {k}"),
    ("times_{k}", "multiplies a number by {k}", "n", _int, "n * {k}"),
    ("square", "returns the square of a number", "n", _int, "n * n"),
    ("is_even", "tells whether a number is even", "n", _int, "n % 2 == 0"),
    ("is_odd", "tells whether a number is odd", "n", _int, "n % 2 == 1"),
    ("divisible_by_{k}", "tells whether a number is divisible by {k}", "n", _int, "n % {k} == 0"),
    ("last_digit", "returns the last digit of a number", "n", _int, "n % 10"),
    ("digit_sum", "adds up the digits of a number", "n", _int, "sum(int(d) for d in str(n))"),
    ("total", "adds up a list", "items", _ints, "sum(items)"),
    ("largest", "returns the largest of a list", "items", _ints, "max(items)"),
    ("smallest", "returns the smallest of a list", "items", _ints, "min(items)"),
    ("spread", "returns largest minus smallest", "items", _ints, "max(items) - min(items)"),
    ("sort_up", "sorts a list", "items", _ints, "sorted(items)"),
    ("sort_down", "sorts a list downwards", "items", _ints, "sorted(items, reverse=True)"),
    ("evens", "keeps the even numbers", "items", _ints, "[x for x in items if x % 2 == 0]"),
    ("odds", "keeps the odd numbers", "items", _ints, "[x for x in items if x % 2 == 1]"),
    ("above_{k}", "keeps numbers above {k}", "items", _ints, "[x for x in items if x > {k}]"),
    ("below_{k}", "keeps numbers below {k}", "items", _ints, "[x for x in items if x < {k}]"),
    ("plus_each_{k}", "adds {k} to each number", "items", _ints, "[x + {k} for x in items]"),
    ("squares", "squares each number", "items", _ints, "[x * x for x in items]"),
    ("count_above_{k}", "counts numbers above {k}", "items", _ints, "sum(x > {k} for x in items)"),
    ("first_{k}", "returns the first {k} items", "items", _ints, "items[:{k}]"),
    ("last_{k}", "returns the last {k} items", "items", _ints, "items[-{k}:]"),
    ("turned", "reverses a list", "items", _ints, "items[::-1]"),
    ("unique", "returns the sorted unique numbers", "items", _ints, "sorted(set(items))"),
    ("shout", "turns a word into capitals", "word", _word, "word.upper()"),
    ("backwards", "reverses a word", "word", _word, "word[::-1]"),
    ("length", "returns the length of a word", "word", _word, "len(word)"),
    ("repeat_{k}", "repeats a word {k} times", "word", _word, "word * {k}"),
    ("starts_with_b", "tells whether a word starts with b", "word", _word, 'word.startswith("b")'),
    ("vowels", "counts the vowels of a word", "word", _word, 'sum(c in "aeiou" for c in word)'),
    ("head_{k}", "returns the first {k} letters of a word", "word", _word, "word[:{k}]"),
)


def function_text(rng: random.Random) -> str:
    """A task, its function and up to three assertions, each computed by running the function."""
    name, task, argument, make, expression = rng.choice(TASKS)
    k = rng.randint(2, 9)
    name, task, expression = (part.replace("{k}", str(k)) for part in (name, task, expression))
    solve = eval(f"lambda {argument}: {expression}")  # our own templates, nothing from outside
    code = f"def {name}({argument}):\n    return {expression}\n"
    if rng.random() < 0.3:
        code = f"def {name}({argument}):\n    result = {expression}\n    return result\n"
    cases = [make(rng) for _ in range(rng.randint(1, 3))]
    checks = "".join(f"assert {name}({case!r}) == {solve(case)!r}\n" for case in cases)
    opening = rng.choice(("Write a function that {}.\n", "# {}\n", "Task: a function that {}.\n"))
    first, second = (code, checks) if rng.random() < 0.6 else (checks, code)
    return opening.format(task) + first + second
