"""Every broken row of a text file is named; every whole one comes back as it was written."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
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


@settings(max_examples=80, deadline=None)
@given(rows=OBJECTS, limit=st.none() | st.integers(1, 8))
def test_json_lines_round_trip(folder: Path, rows: list[dict[str, Any]], limit: int | None) -> None:
    path = folder / "rows.jsonl"
    write_json_lines(path, rows)
    assert read_rows(path, limit) == rows[:limit]


@settings(max_examples=80, deadline=None)
@given(rows=OBJECTS, indent=st.none() | st.integers(0, 3), ascii_only=st.booleans())
def test_json_array_round_trip(
    folder: Path, rows: list[dict[str, Any]], indent: int | None, ascii_only: bool
) -> None:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    assert read_rows(path) == rows
    assert read_rows(path, 2) == rows[:2]


@settings(max_examples=80, deadline=None)
@given(data=st.data(), mark=st.booleans())
def test_csv_round_trip(folder: Path, data: st.DataObject, mark: bool) -> None:
    names = st.text("abc ,\"'\n", max_size=4)
    header = data.draw(st.lists(names, unique=True, min_size=1, max_size=4))
    cells = st.lists(TEXTS, min_size=len(header), max_size=len(header))
    rows = data.draw(st.lists(cells, min_size=1, max_size=5))
    path = folder / "rows.csv"
    with path.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    assert read_rows(path) == [dict(zip(header, row, strict=True)) for row in rows]


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


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"a,b\n1,2\n3\n", "row 2 (ends on line 3) has 1 cells, the header has 2"),
        (b"a,b\n1,2\n\n3,4,5\n", "row 2 (ends on line 4) has 3 cells, the header has 2"),
        (b'a,b\n"x\ny",2\n3\n', "row 2 (ends on line 4) has 1 cells"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "row 2 (line 4): not CSV"),
        (b'a,b\n"1"x,2\n', "row 1 (line 2): not CSV"),
        (b'"a\n', "header (line 1): not CSV"),
        (b"a,b,a\n1,2,3\n", "two columns are called 'a'"),
        (b"a,b\n1,2\n\xe9,4\n", "line 3: not UTF-8 at byte 1"),
        ("a,b\n1,2\n".encode("utf-16"), "line 1: not UTF-8"),
    ],
)
def test_broken_csv(folder: Path, content: bytes, where: str) -> None:
    assert where in refusal(folder, "rows.csv", content).message


def test_values_of_csv_stay_texts_and_cells_may_be_long(folder: Path) -> None:
    path = folder / "rows.csv"
    long = "x" * 200_000
    path.write_text(f",price,note\n0,010.0,\n1,NaN,{long}\n", encoding="utf-8")
    before = csv.field_size_limit()
    assert read_rows(path) == [
        {"": "0", "price": "010.0", "note": ""},
        {"": "1", "price": "NaN", "note": long},
    ]
    assert csv.field_size_limit() == before < sys.maxsize


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
