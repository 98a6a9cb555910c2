import json

from nybble.report.tokens import colored, id_lines, print_rows, visible

ROW = {
    "source_row": 1200,
    "input_ids": [1, 5, 6, 9, 2],
    "scored": [False, False, False, True, True],
    "tokens": ["<bos>", "a [b]\r\n", " c", "7", "<eos>"],
    "special": [True, False, False, False, True],
}


def test_control_characters_never_reach_the_terminal():
    shown = visible("a\x1b[2J\x07\r\n\x7f")
    assert shown == "a␛[2J␇␍↵\n␡"
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_scored_tokens_have_another_style_than_the_rest():
    text = colored(ROW)
    assert text.plain == "<bos>a [b]␍↵\n c7<eos>"
    styles = [str(span.style) for span in text.spans]
    assert ["green" in style for style in styles] == ROW["scored"]
    assert ["magenta" in style for style in styles] == ROW["special"]
    assert styles[1] != styles[2]


def test_a_line_for_each_token_with_its_id():
    lines = [line.plain.split() for line in id_lines(ROW)]
    assert lines[0] == ["0", "1", "·", "<bos>"]
    assert lines[3] == ["3", "9", "●", "7"]
    assert lines[1][-1] == "[b]\\r\\n"


def test_rows_are_printed_with_their_counts(capsys):
    for ids in (False, True):
        print_rows([ROW], ids)
        told = capsys.readouterr().out
        assert "row 1,200: 5 tokens, 2 scored" in told
        assert "\x1b" not in told
    json.dumps(ROW)
