import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.report.answer_text import harmless, print_answer

HOSTILE = "a\x1b[2J\x1b]0;title\x07b\r\x9b31m\x7f\tc\n"


@given(st.text())
def test_no_control_character_is_left_and_all_else_stays(text):
    shown = harmless(text)
    assert len(shown) == len(text)
    for given_, got in zip(text, shown, strict=True):
        if unicodedata.category(given_) == "Cc" and given_ not in "\t\n":
            assert unicodedata.category(got) != "Cc"
        else:
            assert got == given_


@pytest.mark.parametrize("watched", [True, False])
def test_a_terminal_is_spared_and_a_pipe_gets_every_byte(capsys, monkeypatch, watched):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: watched)
    print_answer(HOSTILE, end="")
    expected = "a␛[2J␛]0;title␇b␍\ufffd31m␡\tc\n" if watched else HOSTILE
    assert capsys.readouterr().out == expected
