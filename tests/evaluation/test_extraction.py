from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from nybble.evaluation.extraction import extract_number
from nybble.evaluation.metrics.numbers import LARGEST
from nybble.runs.errors import InputError

CASES = yaml.safe_load(Path(__file__).with_name("extraction_cases.yaml").read_text("utf-8"))


def expectations() -> list[Any]:
    """Each answer with a mode and what has to be read."""
    found = []
    for case in CASES:
        modes = {"currency": case["price"], "first": case["first"], "last": case["last"]}
        modes |= dict([case["regex"]]) if "regex" in case else {}
        found += [pytest.param(case, how, expected) for how, expected in modes.items()]
    return found


@pytest.mark.parametrize(("case", "how", "expected"), expectations())
def test_an_answer_is_read_as_a_careful_person_reads_it(
    case: dict[str, Any], how: str, expected: float | None
) -> None:
    misread = case.get("misread", {})
    assert extract_number(case["text"], how) == misread.get(how, expected)
    assert how not in misread or misread[how] != expected, "no longer misread: strike the note"


def test_few_of_many_answers_are_misread() -> None:
    assert len(CASES) >= 60
    assert len({case["text"] for case in CASES}) == len(CASES)
    misread = [case for case in CASES if "misread" in case]
    assert len(misread) <= 5 and all(case["misread"]["why"] for case in misread)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("15", 15, 15),
        ("Price is $15.99", 15.99, 15.99),
        ("15$", 15, 15),
        ("15kg", 15, 15),
        ("US$15", 15, 15),
        ("It costs 12.", 12, 12),
        ("$1,234.50", 1234.5, 1234.5),
        ("1,234,567 people", 1234567, 1234567),
        ("1,2,3", 1, 3),
        ("1,23,456", 1, 456),
        ("1,234,5678", 1, 5678),
        ("12345,678", 12345, 678),
        ("0,500", 0.5, 0.5),
        ("-3.5", -3.5, -3.5),
        ("\u22127", -7, -7),
        ("-$3", -3, -3),
        ("$-3", -3, -3),
        ("-$ 3", -3, -3),
        ("- 15", 15, 15),
        ("10-15", 10, 15),
        ("(9)-4", 9, 4),
        (".5", 0.5, 0.5),
        ("wait...15", 15, 15),
        ("Total.15", 15, 15),
        ("2e3", 2000, 2000),
        ("1.5E-2 m", 0.015, 0.015),
        ("model 3000 costs $15", 3000, 15),
        ("the h264 camera is 80", 80, 80),
        ("GPT-4 says 20", 20, 20),
        ("caf\u00e95 sells 6", 6, 6),
        ("version 1.2.3", 1.2, 1.2),
        ("\u4ef7\u683c15\u5143", 15, 15),
    ],
)
def test_numbers_are_read_as_people_read_them(text: str, first: float, last: float) -> None:
    assert extract_number(text, "first") == first
    assert extract_number(text, "last") == last


@pytest.mark.parametrize(
    "text", ["", "no idea", "h264", "GPT-4", "$", "1e200", "1e999", "9" * 400, "_7"]
)
def test_no_number_is_none(text: str) -> None:
    assert extract_number(text, "first") is None
    assert extract_number(text, "last") is None


@given(
    st.integers(0, 10**12).map(lambda cents: cents / 100),
    st.sampled_from(["{:.2f}", "{:,.2f}", "${:,.2f}.", "about {:.2f} or so", "({:,.2f})"]),
    st.booleans(),
)
def test_a_written_number_is_read_back(value: float, form: str, negative: bool) -> None:
    text = form.format(value)
    if negative:
        text, value = text.replace(f"{value:,.2f}", f"-{value:,.2f}"), -value
        assume("-" in text)
    assert extract_number(text, "first") == value


@given(
    st.text(alphabet="0123456789.,-+eE$/'\u00bd\u20ac aokKt\n\u2212", max_size=60),
    st.sampled_from(["first", "last", "currency"]),
)
def test_any_text_gives_a_moderate_number_or_none(text: str, how: str) -> None:
    value = extract_number(text, how)
    assert value is None or abs(value) <= LARGEST


def test_an_expression_says_where_the_number_is() -> None:
    text = "I have 3 reasons. Answer: $1,250. Not 7."
    assert extract_number(text, r"3 reasons. Answer: (\S+)") == 1250
    assert extract_number(text, r"Verdict: (\S+)") is None
    assert extract_number("Answer: none", r"Answer: (\S+)") is None
    assert extract_number("x", r"x(5)?") is None


@pytest.mark.parametrize("how", ["(", r"\d+", r"(\d)(\d)"])
def test_a_wrong_expression_is_refused(how: str) -> None:
    with pytest.raises(InputError, match=r"evaluate\.extract"):
        extract_number("5", how)


@given(
    st.integers(1, 10**9).map(lambda cents: cents / 100),
    st.sampled_from(["${:,.2f}", "{:,.2f} dollars", "USD {:.2f}", "\u00a3{:,.2f}", "{:.2f}\u20ac"]),
    st.sampled_from(["", "model 3000 costs ", "2 for ", "In 2023, the 55-inch one was "]),
    st.sampled_from(["", ".", " for a pack of 12", " (12 pieces)", ", 20% off"]),
)
def test_a_marked_price_is_read_whatever_numbers_are_around_it(
    value: float, form: str, before: str, after: str
) -> None:
    assert extract_number(before + form.format(value) + after, "currency") == value


@given(st.integers(0, 10**9).map(lambda cents: cents / 100))
def test_both_ways_to_write_thousands_are_read_alike(value: float) -> None:
    english = f"{value:,.2f}"
    european = english.translate(str.maketrans(",.", ".,"))
    for form in (english, european, european.replace(".", "\u202f"), english.replace(",", "'")):
        assert extract_number(form, "first") == extract_number(f"{form} EUR", "currency") == value


def test_a_range_in_other_words_and_what_only_looks_like_one() -> None:
    for text in ("10\u201320 dollars", "from $10 to $20", "between 10 and 20 euros", "10-20"):
        assert extract_number(text, "currency") == 15
    assert extract_number("$10 and $20", "currency") == 10
    assert extract_number("$20-10", "currency") == 20


@pytest.mark.parametrize("text", ["sugar-free", "free shipping", "I am free", "10 or 20", "20 %"])
def test_no_price_is_none_and_never_0(text: str) -> None:
    assert extract_number(text, "currency") is None
