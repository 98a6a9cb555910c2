"""Numbers as people write them, found in a text: `1,299.00`, `1.299,00 €`, `15k`, `1½`, `-$3`."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# Latin, Greek and Cyrillic: words that end at a space. In Chinese, say, a number directly follows
# a word and is none the less a number of its own.
LETTERS = r"A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u052f"
SYMBOLS = r"$\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd\u20ba"
_MINUS = r"[-\u2212]"

# The hyphens of `10-15` and of `- 15` are no signs, nor is the word in `10 minus 5`.
_SIGN = rf"""(?:(?<![\w.)]){_MINUS}(?:[{SYMBOLS}]\ ?)?|[{SYMBOLS}]{_MINUS}
    |(?<![\w)])(?<![\w)]\ )(?:minus|Minus)\ (?:[{SYMBOLS}]\ ?)?)"""
# Not inside h264 or GPT-4, and not the 3 of 1.2.3; but USD15 is 15.
_NOT_GLUED = (
    rf"(?:(?<![{LETTERS}0-9])|(?<=\bUSD)|(?<=\bEUR)|(?<=\bGBP)|(?<=\bRs)(?!\.))"
    rf"(?<![{LETTERS}]{_MINUS})(?<![0-9]\.)"
)
_COMMAS = r"(?<![0-9],)[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9]|,[0-9])"
_LAKHS = (
    r"(?:(?<=\u20b9)|(?<=\u20b9\ )|(?<=Rs\.\ )|(?<=INR\ ))[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?!\w)"
)
# 0,5 and 12,50 but neither 1,2,3 nor 1,234: three digits are decimals only where 0 goes before.
_DECIMAL_COMMA = r"(?<![0-9],)(?:[0-9]+,[0-9]{1,2}|0,[0-9]+)(?![0-9]|[.,][0-9])"
_QUOTES = r"[1-9][0-9]{0,2}(?:['\u2019\u00a0\u2009\u202f][0-9]{3})+(?:[.,][0-9]{1,2})?(?![0-9])"
_POINTS = r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+"
# These are written with points for thousands; with a plain space there only beside a currency, and
# not where it may end a name (`model 3 299 €`).
_EURO_BEFORE = r"(?:(?<=\u20ac)|(?<=\u20ac\ )|(?<=EUR\ )|(?<=R\$)|(?<=R\$\ ))"
_EURO_AFTER = r"(?=\ ?(?:\u20ac|EUR\b|[Ee]uros?\b|kr\b|z\u0142))"
_SPACES = rf"(?<![{LETTERS}]\ )[1-9][0-9]{{0,2}}(?:\ [0-9]{{3}})+(?:,[0-9]{{1,2}})?(?![0-9])"
_FRACTION = r"(?:1/2|[12]/3|[13]/4|[1357]/8)(?![/0-9])"
_VULGAR = r"[\u00bc-\u00be\u2150-\u215e]"

_NUMERAL = re.compile(
    rf"""(?P<sign>{_SIGN})?
    {_NOT_GLUED}
    (?:
        (?:(?P<whole>[0-9]+)\ ?)?(?P<vulgar>{_VULGAR})
        |(?:(?P<ones>[0-9]+)\ )?(?<!/)(?P<fraction>{_FRACTION})
        |(?P<comma>{_POINTS},[0-9]{{1,2}}(?![0-9])
            |{_EURO_BEFORE}{_POINTS}(?![0-9.,]*[0-9])|{_POINTS}{_EURO_AFTER}
            |{_EURO_BEFORE}{_SPACES}|{_SPACES}{_EURO_AFTER}|{_DECIMAL_COMMA})
        |(?P<quotes>{_QUOTES})
        |(?P<point>(?:(?:{_LAKHS}|{_COMMAS}|[0-9]+)(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)
            (?:[eE][-+]?[0-9]+(?!\w))?)
    )
    (?P<scale>(?:[kK]|[mM]n?|[bB]n?)(?!\w)|\ ?(?:thousand|million|billion)\b)?""",
    re.VERBOSE,
)
_SCALES = {"k": 1e3, "thousand": 1e3, "million": 1e6, "billion": 1e9}
# 5m may be metres; $5m are millions.
_OF_MONEY = {"m": 1e6, "mn": 1e6, "b": 1e9, "bn": 1e9}
_MONEY = re.compile(rf"[{SYMBOLS}]")


@dataclass(frozen=True)
class Numeral:
    """A number that stands in a text from `start` to `end`, sign and scale included in `value`."""

    start: int
    end: int
    value: float
    scale: float


def numerals(text: str) -> Iterator[Numeral]:
    """The numbers of `text`, in order. Digits that belong to a word (`h264`, `GPT-4`) are none.

    A comma before three digits groups thousands, before one or two it is a decimal comma; a point
    groups thousands where a decimal comma follows, or a currency that is written so is beside it.
    `k`, `thousand`, `million` and `billion` are part of the number, after a sign of money `m` and
    `b` too. `1,2,3` are three numbers, and `10-15` are two. Numbers in words are not read.
    """
    for match in _NUMERAL.finditer(text):
        name, end = (match["scale"] or "").strip().lower(), match.end()
        scale = _SCALES.get(name, 1.0)
        if name in _OF_MONEY:
            if _MONEY.search(text, max(0, match.start() - 1), end):
                scale = _OF_MONEY[name]
            else:
                end = match.start("scale")
        value = _magnitude(match) * scale
        yield Numeral(match.start(), end, -value if match["sign"] else value, scale)


def _magnitude(match: re.Match[str]) -> float:
    if match["vulgar"]:
        return float(match["whole"] or 0) + unicodedata.numeric(match["vulgar"])
    if match["fraction"]:
        over, under = match["fraction"].split("/")
        return float(match["ones"] or 0) + int(over) / int(under)
    if match["comma"]:
        return float(match["comma"].replace(".", "").replace(" ", "").replace(",", "."))
    if match["quotes"]:
        return float(re.sub(r"[^0-9.,]", "", match["quotes"]).replace(",", "."))
    return float(match["point"].replace(",", ""))
