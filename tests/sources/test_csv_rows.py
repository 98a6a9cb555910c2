"""Every broken row of a CSV file is named; every whole one comes back as it was written."""

import csv
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.runs.errors import InputError
from nybble.sources.rows import read_rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


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


@pytest.mark.parametrize(("mark", "told"), [(";", "semicolons"), ("\t", "tabs")])
def test_cells_that_no_comma_separates_are_told(folder: Path, mark: str, told: str) -> None:
    content = f"title{mark}price\nlamp{mark}12\n".encode()
    assert f"separated by {told}" in refusal(folder, "other.csv", content).message


def test_a_single_column_is_a_table_too(folder: Path) -> None:
    (folder / "one.csv").write_text("text\na; b\n")
    assert list(read_rows(folder / "one.csv")) == [{"text": "a; b"}]


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
