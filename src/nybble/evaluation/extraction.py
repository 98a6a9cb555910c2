"""The number that an answer gives: an answer is text, and a recipe says where its number is."""

import re

from nybble.evaluation.metrics.numbers import LARGEST
from nybble.evaluation.numerals import numerals
from nybble.evaluation.prices import read_price
from nybble.runs.errors import InputError

MODES = ("first", "last", "currency")


def extract_number(text: str, how: str) -> float | None:
    """The number that `text` answers with, or None when there is none.

    `how` is `first` or `last` for the first or last number, `currency` for the price among several
    (see `read_price`), or a regular expression with one group: the first number within what the
    group caught. How numbers are written: see `numerals`. A number beyond `LARGEST` is no answer.
    Raises InputError when `how` is no expression with one group.
    """
    if how not in MODES:
        match = _compiled(how).search(text)
        return extract_number(match.group(1) or "", "first") if match else None
    if how == "currency":
        value = read_price(text)
    else:
        values = [numeral.value for numeral in numerals(text)]
        value = values[0 if how == "first" else -1] if values else None
    return value if value is not None and abs(value) <= LARGEST else None


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise InputError(
            f"evaluate.extract is not a regular expression: {error}.",
            "Use first, last, currency, or a regular expression with one group.",
        ) from None
    if compiled.groups != 1:
        raise InputError(
            f"evaluate.extract has {compiled.groups} groups.",
            "Put the part that holds the number, and only that, in one pair of parentheses.",
        )
    return compiled
