"""Rows stay on the disk, are what they were, and are never those of another file."""

import os
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.runs.errors import InputError
from nybble.sources.arrow_rows import PAGE_ROWS, parquet_rows
from nybble.sources.lazy import View
from nybble.sources.lazy_rows import JoinedRows, SpanRows
from nybble.sources.rows import read_files, read_rows

LINES = [f'{{"n": {n}}}\n' for n in range(7)]


@pytest.fixture
def rows(tmp_path: Path) -> SpanRows:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(LINES))
    found = read_rows(path)
    assert isinstance(found, SpanRows)
    return found


def test_rows_are_a_sequence(rows: SpanRows) -> None:
    expected = [{"n": n} for n in range(7)]
    assert rows == expected and list(reversed(rows)) == expected[::-1]
    assert (rows[-1], rows[2:4], rows[::-3]) == (expected[6], expected[2:4], expected[::-3])
    assert rows.index({"n": 3}) == 3 and {"n": 9} not in rows
    assert rows != expected[:6] and rows != [*expected[:6], {"n": 9}]
    with pytest.raises(IndexError):
        rows[7]


@given(st.lists(st.integers(0, 6), max_size=9))
def test_a_view_is_the_items_at_its_indices(indices: list[int]) -> None:
    view = View("abcdefg", indices)
    assert "".join(view) == "".join("abcdefg"[i] for i in indices)
    assert view == ["abcdefg"[i] for i in indices]


def test_a_file_that_changes_is_told_never_read_wrong(rows: SpanRows, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    before = path.stat()
    path.write_text("".join(LINES).replace("3", "9"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(InputError, match=r"rows\.jsonl: row 4: the file was changed"):
        rows[3]


def test_a_file_that_is_replaced_is_read_as_it_was(rows: SpanRows, tmp_path: Path) -> None:
    (tmp_path / "new").write_text("")
    (tmp_path / "new").rename(tmp_path / "rows.jsonl")
    assert rows[3] == {"n": 3}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_every_kind_of_text_file_finds_its_rows_again(tmp_path: Path, mark: bytes) -> None:
    texts = {
        "a.jsonl": '\n{"t": "ä\\n"}\r\n\n{"t": "€"}',
        "b.json": ' [ {"t": "ä\\n"} ,\n{"t": "€"}]',
        "c.csv": 't\r\n\r\n"ä\n"\r\n€\r\n',
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(mark + text.encode())
        assert read_rows(tmp_path / name) == [{"t": "ä\n"}, {"t": "€"}], name


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_joined_rows_are_named_by_their_own_file(sizes: list[int]) -> None:
    class Named(JoinedRows):
        def __init__(self, name: str, size: int) -> None:
            self.name, self.size = name, size

        def __len__(self) -> int:
            return self.size

        def read(self, index: int) -> dict[str, object]:
            return {"file": self.name, "at": index}

        def where(self, index: int) -> str:
            return f"{self.name}: row {index + 1}"

    joined = JoinedRows("all", [Named(f"f{i}", size) for i, size in enumerate(sizes)])
    expected = [{"file": f"f{i}", "at": at} for i, size in enumerate(sizes) for at in range(size)]
    assert joined == expected
    for index, row in enumerate(expected):
        assert joined.where(index) == f"{row['file']}: row {row['at'] + 1}"  # type: ignore[operator]


def test_a_pattern_takes_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, n in (("b", 2), ("a", 1), ("c", 3)):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"n": {n}}}\n{{"n": {n}0}}\n')
    pattern = str(tmp_path / "*.jsonl")
    found = read_files(pattern)
    assert [row["n"] for row in found] == [1, 10, 2, 20, 3, 30]
    assert found.where(3) == f"{tmp_path}/b.jsonl: row 2"
    (tmp_path / "c.jsonl").write_text("broken")
    assert [row["n"] for row in read_files(pattern, 3)] == [1, 10, 2]
    assert len(read_files(pattern, 4)) == 4
    with pytest.raises(InputError, match=r"c\.jsonl: line 1"):
        read_files(pattern)
    with pytest.raises(InputError, match="No file matches"):
        read_files(str(tmp_path / "*.csv"))
    (tmp_path / "d.txt").write_text("")
    with pytest.raises(InputError, match=r"d\.txt: unknown kind"):
        read_files(str(tmp_path / "*"))


def test_parquet_in_any_order(tmp_path: Path) -> None:
    path, count = tmp_path / "rows.parquet", 2 * PAGE_ROWS + 7
    table = pyarrow.table({"n": list(range(count))})
    pyarrow.parquet.write_table(table, path, row_group_size=300)
    rows = parquet_rows(path)
    for index in (0, count - 1, PAGE_ROWS, PAGE_ROWS - 1, 299, 300, 5):
        assert rows[index] == {"n": index}
    assert rows == table.to_pylist()
    assert len(parquet_rows(path, 5)) == 5


def test_a_parquet_page_that_does_not_unpack_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pyarrow.table({"text": ["abc" * 50 + str(n) for n in range(2000)]})
    pyarrow.parquet.write_table(table, path, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"rows\.parquet: row 1 is not whole"):
        list(read_rows(path))
