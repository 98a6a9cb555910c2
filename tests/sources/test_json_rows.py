"""Every broken row of a JSON file is named; every whole one comes back as it was written."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.runs.atomic import write_json_lines
from nybble.runs.errors import InputError
from nybble.sources.rows import read_rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


def refusal(folder: Path, name: str, content: bytes) -> InputError:
    """How a file of that name and content is refused."""
    path = folder / name
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_rows(path)
    assert refused.value.message.startswith(str(path))
    return refused.value


@given(rows=OBJECTS, limit=st.none() | st.integers(1, 8))
def test_json_lines_round_trip(folder: Path, rows: list[dict[str, Any]], limit: int | None) -> None:
    path = folder / "rows.jsonl"
    write_json_lines(path, rows)
    assert read_rows(path, limit) == rows[:limit]


@given(rows=OBJECTS, indent=st.none() | st.integers(0, 3), ascii_only=st.booleans())
def test_json_array_round_trip(
    folder: Path, rows: list[dict[str, Any]], indent: int | None, ascii_only: bool
) -> None:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    assert read_rows(path) == rows
    assert read_rows(path, 2) == rows[:2]


def test_json_lines_in_a_json_file_marked_and_blank_lines(folder: Path) -> None:
    path = folder / "rows.json"
    path.write_bytes(b'\xef\xbb\xbf\n{"a": 1}\r\n \t\n{"a": "\xe2\x80\xa8"}')
    assert read_rows(path) == [{"a": 1}, {"a": "\u2028"}]


def test_a_pair_of_surrogates_is_one_character(folder: Path) -> None:
    path = folder / "rows.jsonl"
    path.write_bytes(rb'{"a": "\ud83d\ude00 \\ud83d"}')
    assert read_rows(path) == [{"a": "\U0001f600 \\ud83d"}]


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (b'{"a": 1,}', "line 3, column "),
        (b'{"a": 1} {"a": 2}', "line 3, column 10: not JSON: Extra data"),
        (b'{"a": "x', "line 3, column 7: not JSON"),
        (b"[1, 2]", "line 3: an array, not an object"),
        (b'"text"', "line 3: a text, not an object"),
        (b"null", "line 3: null, not an object"),
        (b"7", "line 3: a value, not an object"),
        (b'{"a": NaN}', "line 3: NaN is not JSON"),
        (b'{"a": [-Infinity]}', "line 3: -Infinity is not JSON"),
        (b'{"a": 1e999}', "line 3: 1e999 is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 3: Exceeds the limit"),
        (b'{"a": ' + b"[" * 100_000, "line 3: maximum recursion"),
        (b'{"a": "\xff"}', "line 3: not UTF-8 at byte 8"),
        (rb'{"a": "\ud83d"}', "line 3: holds half of a surrogate pair"),
        (rb'{"\uDE00": 1}', "line 3: holds half of a surrogate pair"),
    ],
)
def test_broken_json_lines(folder: Path, line: bytes, where: str) -> None:
    content = b'{"a": 1}\n\n' + line + b'\n{"a": 4}\n'
    for name in ("rows.jsonl", "rows.json"):
        assert where in refusal(folder, name, content).message


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'[{"a": 1},\n {"a": }]', "line 2, column 8: not JSON"),
        (b'[{"a": 1},\n {"a": NaN}]', "row 2 (line 2): NaN is not JSON"),
        (b'[{"a": 1},\n\n {"a": 1e400}]', "row 2 (line 3): 1e400 is too large"),
        (b'\n[{"a": 1},\n\n{"a":\n2},\n{"a": NaN}]', "row 3 (line 6): NaN is not JSON"),
        (b'[{"a": 1},\n {"a": 2}, 3]', "row 3 (line 2): a value, not an object"),
        (b'[[{"a": 1}]]', "row 1 (line 1): an array, not an object"),
        (b'[{"a": 1}\n {"a": 2}]', "line 2, column 2: not JSON: Expecting ',' or ']'"),
        (b'[{"a": 1},\n]', "line 2, column 1: not JSON"),
        (b'[{"a": 1}', "line 1, column 10: not JSON"),
        (b'[{"a": 1}]\n[]', "line 2, column 1: not JSON: Extra data after the array"),
        (b'[{"a": 1},\n{"a": "\xff"}]', "line 2: not UTF-8 at byte 8"),
        (b"[" * 100_000, "row 1 (line 1): maximum recursion"),
    ],
)
def test_broken_json_arrays(folder: Path, content: bytes, where: str) -> None:
    assert where in refusal(folder, "rows.json", content).message


def test_rows_after_the_limit_are_not_looked_at(folder: Path) -> None:
    for name, content in (
        ("rows.jsonl", b'{"a": 1}\nbroken'),
        ("rows.json", b'[{"a": 1}, broken'),
        ("rows.csv", b'a\n1\n"broken'),
    ):
        path = folder / name
        path.write_bytes(content)
        assert len(read_rows(path, 1)) == 1
        with pytest.raises(InputError):
            read_rows(path)
