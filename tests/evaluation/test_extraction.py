import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nybble.evaluation.extraction import extract_number
from nybble.evaluation.metrics.numbers import LARGEST
from nybble.runs.errors import InputError


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
        ("0,500", 0, 500),
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
    st.text(alphabet="0123456789.,-+eE$ aK\n\u2212", max_size=60),
    st.sampled_from(["first", "last"]),
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
