"""The number that an answer gives: an answer is text, and people write numbers in many ways."""

import re

from nybble.evaluation.metrics.numbers import LARGEST
from nybble.runs.errors import InputError

# Latin, Greek and Cyrillic: words that end at a space. In Chinese, say, a number directly follows
# a word and is none the less a number of its own.
_LETTERS = r"A-Za-z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u052f"
_CURRENCY = r"[$\u20ac\u00a3\u00a5\u20b9]"
_MINUS = r"[-\u2212]"

# The hyphens of `10-15` and of `- 15` are no signs.
_SIGN = rf"(?:(?<![\w.)]){_MINUS}(?:{_CURRENCY}\ ?)?|{_CURRENCY}{_MINUS})"
# Not inside h264 or GPT-4, and not the 3 of 1.2.3.
_NOT_GLUED = rf"(?<![{_LETTERS}0-9])(?<![{_LETTERS}]{_MINUS})(?<![0-9]\.)"
_THOUSANDS = r"(?<![0-9],)[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9]|,[0-9])"
_NUMBER = re.compile(
    rf"""(?P<sign>{_SIGN})?
    {_NOT_GLUED}
    (?P<magnitude>
        (?:(?:{_THOUSANDS}|[0-9]+)(?:\.[0-9]+)?|(?<!\.)\.[0-9]+)
        (?:[eE][-+]?[0-9]+(?!\w))?
    )""",
    re.VERBOSE,
)


def extract_number(text: str, how: str) -> float | None:
    """The number that `text` answers with, or None when there is none.

    `how` is `first`, `last`, or a regular expression with one group: the first number within what
    the group caught. `$1,234.50`, `15kg`, `12.`, `-$3`, `.5` and `2e3` are numbers; the digits of
    `h264` and `GPT-4` are none, `1,2,3` are three, and `10-15` are two. A number beyond `LARGEST`
    is no answer. Raises InputError when `how` is no expression with one group.
    """
    if how not in ("first", "last"):
        found = _compiled(how).search(text)
        return extract_number(found.group(1) or "", "first") if found else None
    matches = list(_NUMBER.finditer(text))
    if not matches:
        return None
    match = matches[0 if how == "first" else -1]
    magnitude = float(match["magnitude"].replace(",", ""))
    if magnitude > LARGEST:
        return None
    return -magnitude if match["sign"] else magnitude


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(expression)
    except re.error as error:
        raise InputError(
            f"evaluate.extract is not a regular expression: {error}.",
            "Use first, last, or a regular expression with one group.",
        ) from None
    if compiled.groups != 1:
        raise InputError(
            f"evaluate.extract has {compiled.groups} groups.",
            "Put the part that holds the number, and only that, in one pair of parentheses.",
        )
    return compiled
