"""The price that an answer gives, told from its other numbers: `model 3000 costs $15` is 15.

A number beside a sign or word of money is a price. Without any, a number is one only where the text
says so, or says nothing else.
"""

import re
from collections.abc import Sequence

from nybble.evaluation.numerals import LETTERS, SYMBOLS, Numeral, numerals

_CODES = "USD|EUR|GBP|JPY|CNY|INR|CAD|AUD|NZD|CHF|SEK|NOK|DKK|PLN|BRL|MXN|KRW"
_BEFORE = re.compile(rf"(?:[{SYMBOLS}]|(?<![{LETTERS}])(?:{_CODES}|Rs\.?|kr))\s?\Z")
_WORDS = (
    "dollars?|bucks?|euros?|quid|pounds sterling|yen|yuan|rupees?|pesos?|francs?|kronor|kroner"
    "|won|kr|zł"
)
_AFTER = re.compile(
    rf"\s?(?:[{SYMBOLS}]|[\u5143\u5186]|(?:of a )?(?:{_CODES}|{_WORDS})(?![{LETTERS}]))", re.I
)
_CENTS = re.compile(r"\s?(?:\u00a2|cents?\b)", re.I)
_AND_CENTS = re.compile(rf"(?:{_AFTER.pattern}) and ", re.I)
_RANGE = re.compile(
    rf"(?:{_AFTER.pattern})?\s?(?:[-\u2013\u2014]|to|and)\s?(?:[{SYMBOLS}]\s?)?", re.I
)
_BETWEEN = re.compile(rf"\bbetween\s(?:[{SYMBOLS}]\s?)?\Z", re.I)
# What may go before a price that has no mark; after any other word, a number is part of a name.
_SAYS = re.compile(
    rf"(?:\A|[^\s{LETTERS}0-9]|\b(?:is|be|at|of|for|say|costs?|worth|price|about|around|roughly"
    r"|approximately|maybe|perhaps|probably|only|just|guess|estimate|answer|total|comes to"
    r"|between|from|or|and))\s*\Z",
    re.I,
)
# What may follow it; before any other word, a number counts something.
_GOES_ON = re.compile(
    rf"(?!\s?[%\u00b0])(?![\"\u2033]\ ?[{LETTERS}])(?!\ ?-?[{LETTERS}])"
    r"|\s(?:or|and|each|but|for|at|per|in total|total|if|as|because|pounds)\b",
    re.I,
)
_FREE = re.compile(
    r"\W*(?:(?:it|this|that|the \w+)(?:'s|\u2019s| is| would be)\s+)?free(?: of charge)?\W*", re.I
)


def read_price(text: str) -> float | None:
    """The price in `text`, or None when it gives none.

    The first number that a currency's sign, code or word marks; cents count as hundredths. A range
    (`$10-20`, `between 10 and 20 dollars`) gives its middle: to read nothing would count a habit of
    hedging as ignorance. Without a mark, the one number or range that stands where a price would
    (`It costs 40 and weighs 3 kg.`); where several do, none. `free` and nothing else is 0.
    """
    if _FREE.fullmatch(text):
        return 0.0
    found = list(numerals(text))
    for place, numeral in enumerate(found):
        following = found[place + 1] if place + 1 < len(found) else None
        if following and _is_range(text, numeral, following):
            if _marked(text, numeral) or _marked(text, following):
                return _middle(numeral, following)
        elif _marked(text, numeral):
            return numeral.value + (_cents_after(text, numeral, following) if following else 0.0)
        elif _CENTS.match(text, numeral.end):
            return numeral.value / 100.0
    return _unmarked(text, found)


def _marked(text: str, numeral: Numeral) -> bool:
    own = text[numeral.start : numeral.end]
    return bool(
        _BEFORE.search(_before(text, numeral))
        or re.search(rf"[{SYMBOLS}]", own)
        or _AFTER.match(text, numeral.end)
    )


def _is_range(text: str, one: Numeral, other: Numeral) -> bool:
    link = _RANGE.fullmatch(text, one.end, other.start)
    if not link or one.value >= other.value:
        return False
    return "and" not in link[0] or bool(_BETWEEN.search(_before(text, one)))


def _middle(one: Numeral, other: Numeral) -> float:
    """Of a range; in `5-7k` the scale is that of both ends."""
    shared = one.scale == 1.0 and one.value < other.value / other.scale
    return (one.value * (other.scale if shared else 1.0) + other.value) / 2.0


def _cents_after(text: str, dollars: Numeral, cents: Numeral) -> float:
    """The 0.50 of `15 dollars and 50 cents`."""
    linked = _AND_CENTS.fullmatch(text, dollars.end, cents.start)
    return cents.value / 100.0 if linked and _CENTS.match(text, cents.end) else 0.0


def _unmarked(text: str, found: Sequence[Numeral]) -> float | None:
    if len(found) == 2 and _is_range(text, *found) and _SAYS.search(_before(text, found[0])):
        return _middle(*found)
    values = {
        numeral.value
        for numeral in found
        if _SAYS.search(_before(text, numeral)) and _GOES_ON.match(text, numeral.end)
    }
    return values.pop() if len(values) == 1 else None


def _before(text: str, numeral: Numeral) -> str:
    """The few characters before a number: as many as a mark or a word can have."""
    return text[max(0, numeral.start - 24) : numeral.start]
