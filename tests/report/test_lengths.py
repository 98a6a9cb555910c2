import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.lengths import length_statistics
from nybble.report.lengths import BAR_WIDTH, MOST_BARS, bars, numbers_line, print_lengths

NUMBERS = {"single": 1000, "most": 1, "example": {"number": "0", "tokens": ["0"]}}


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any))
def test_bars_tell_every_row_in_few_lines(counts):
    edges = list(range(10, 10 + 3 * len(counts) + 1, 3))
    lines = bars(counts, edges)
    assert len(lines) <= MOST_BARS
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines) == sum(counts)
    assert lines[0].split()[0] == "10"
    assert lines[-1].split()[2].replace(",", "") == str(edges[-1] - 1)
    assert max(line.count("█") for line in lines) == BAR_WIDTH


def test_numbers_in_words():
    assert numbers_line(NUMBERS) == "Numbers: each of 0 to 999 is one token."
    split = {"single": 10, "most": 3, "example": {"number": "100", "tokens": [*"100"]}}
    assert numbers_line(split) == (
        "Numbers: 10 of 0 to 999 are one token, the others up to 3: 100 is 1 0 0."
    )


def test_everything_measured_is_printed(capsys):
    rows = length_statistics(np.array([50] * 300 + [200]), 8, 0)
    field = {"name": "sum[b]mary", **length_statistics(np.array([30] * 301), 8, 0)}
    print_lengths({"batch_size": 8, "rows": rows, "field": field, "numbers": NUMBERS})
    told = capsys.readouterr().out
    assert "Field sum[b]mary: 301 rows" in told
    assert "Whole rows: 301 rows, 15,200 tokens, 50 a row, 200 at most" in told
    assert "data.truncate.max_tokens=64: no row is longer" in told
    assert "data.max_length=64: 1 row is longer (0.3%)" in told
    (line,) = [line for line in told.splitlines() if line.split()[:2] == ["64", "0.3%"]]
    assert line.split() == ["64", "0.3%", "99%", "1%", "99%", "32%"]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0%"), (0.0003, "<0.1%"), (0.003, "0.3%"), (0.999, "99.9%"), (1, "100%"), (0.256, "26%")],
)
def test_a_share_never_rounds_to_all_or_nothing(share, text):
    from nybble.report.lengths import _percent

    assert _percent(share) == text
