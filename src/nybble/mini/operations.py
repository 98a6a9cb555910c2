"""The operations that `bundled:functions` composes: what each is called, asked, and computes.

`{k}` stands for a constant, `{v}` for the value that an operation is given. Every number is 0 or
more and stays so, which keeps `%` free of surprises. Names and tasks are of words that the bundled
model was pre-trained on: a token that it never saw has an untrained embedding, which LoRA leaves as
it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

NUMBERS, NUMBER, WORD = "items", "n", "word"
# Nothing takes these: vowels are counted in small letters only.
TRUTH, CAPITALS = "truth", "capitals"


@dataclass(frozen=True, eq=False)
class Operation:
    """One step. `takes` and `gives` are kinds of values, `low` to `high` the constants."""

    name: str
    task: str
    expression: str
    takes: str
    gives: str
    low: int = 0
    high: int = 0

    @cache  # noqa: B019 - the operations of the table live as long as the program
    def with_constant(self, k: int) -> "Operation":
        """The operation with `{k}` filled in."""
        name, task, expression = (
            text.replace("{k}", str(k)) for text in (self.name, self.task, self.expression)
        )
        return Operation(name, task, expression, self.takes, self.gives, k, k)

    def code(self, value: str) -> str:
        """The expression over the variable `value`."""
        return self.expression.replace("{v}", value)

    def apply(self, value: Any) -> Any:
        """What the operation makes of `value`."""
        return self._function(value)

    @cached_property
    def _function(self) -> Callable[[Any], Any]:
        # Only expressions of the table below get here, nothing from outside.
        function: Callable[[Any], Any] = eval(f"lambda value: {self.code('value')}")
        return function


def _group(takes: str, gives: str, *rows: tuple[Any, ...]) -> tuple[Operation, ...]:
    return tuple(
        Operation(name, task, expression, takes, gives, *constants)
        for name, task, expression, *constants in rows
    )


# name, task, expression[, smallest and largest constant]
OPERATIONS = (
    *_group(
        NUMBERS,
        NUMBERS,
        ("evens", "keeps the even numbers", "[x for x in {v} if x % 2 == 0]"),
        ("odds", "keeps the odd numbers", "[x for x in {v} if x % 2 == 1]"),
        ("above_{k}", "keeps numbers above {k}", "[x for x in {v} if x > {k}]", 2, 20),
        ("below_{k}", "keeps numbers below {k}", "[x for x in {v} if x < {k}]", 10, 30),
        ("plus_each_{k}", "adds {k} to each number", "[x + {k} for x in {v}]", 2, 20),
        ("squares", "squares each number", "[x * x for x in {v}]"),
        ("first_{k}", "returns the first {k} items", "{v}[:{k}]", 2, 5),
        ("last_{k}", "returns the last {k} items", "{v}[-{k}:]", 2, 5),
        ("turned", "reverses the list", "{v}[::-1]"),
        ("sort_up", "sorts the list", "sorted({v})"),
        ("sort_down", "sorts the list downwards", "sorted({v}, reverse=True)"),
        ("unique", "returns the sorted unique numbers", "sorted(set({v}))"),
    ),
    *_group(
        NUMBERS,
        NUMBER,
        ("total", "adds up the list", "sum({v})"),
        ("length", "returns the length of the list", "len({v})"),
        ("count_above_{k}", "counts numbers above {k}", "sum(x > {k} for x in {v})", 2, 20),
    ),
    *_group(
        NUMBER,
        NUMBER,
        ("add_{k}", "adds {k} to the number", "{v} + {k}", 2, 20),
        ("times_{k}", "multiplies the number by {k}", "{v} * {k}", 2, 20),
        ("square", "returns the square of the number", "{v} * {v}"),
        ("last_digit", "returns the last digit", "{v} % 10"),
        ("digit_sum", "adds up the digits", "sum(int(d) for d in str({v}))"),
    ),
    *_group(
        NUMBER,
        TRUTH,
        ("is_even", "tells whether the number is even", "{v} % 2 == 0"),
        ("is_odd", "tells whether the number is odd", "{v} % 2 == 1"),
        ("divisible_by_{k}", "tells whether the number is divisible by {k}", "{v} % {k} == 0",
         3, 9),
    ),
    *_group(
        WORD,
        WORD,
        ("backwards", "reverses the word", "{v}[::-1]"),
        ("repeat_{k}", "repeats the word {k} times", "{v} * {k}", 2, 4),
        ("head_{k}", "returns the first {k} letters of the word", "{v}[:{k}]", 2, 5),
    ),
    *_group(WORD, CAPITALS, ("shout", "turns the word into capitals", "{v}.upper()")),
    *_group(
        WORD,
        NUMBER,
        ("length", "returns the length of the word", "len({v})"),
        ("vowels", "counts the vowels of the word", 'sum(c in "aeiou" for c in {v})'),
    ),
)  # fmt: skip
