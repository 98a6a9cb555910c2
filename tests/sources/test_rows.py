"""The right reader for each file, and no file read that is not one of rows."""

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.runs.errors import InputError
from nybble.sources.rows import read_rows

SCHEMA = pyarrow.schema(
    [
        ("text", pyarrow.string()),
        ("number", pyarrow.int64()),
        ("price", pyarrow.float64()),
        ("turns", pyarrow.list_(pyarrow.struct([("role", pyarrow.string())]))),
    ]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
            "number": st.none() | st.integers(-(2**63), 2**63 - 1),
            "price": st.none() | st.floats(allow_nan=False),
            "turns": st.none()
            | st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "x"])}), max_size=2),
        }
    ),
    min_size=1,
    max_size=5,
)


@given(rows=ROWS, limit=st.none() | st.integers(1, 6))
def test_parquet_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], limit: int | None
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.PARQUET"
    table = pyarrow.Table.from_pylist(rows, schema=SCHEMA)
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    assert read_rows(path, limit) == rows[:limit]


def test_a_cut_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2]}), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="is not whole"):
        read_rows(path)


def test_a_parquet_file_with_one_column_twice(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    pyarrow.parquet.write_table(table, path)
    with pytest.raises(InputError, match="two columns are called 'a'"):
        read_rows(path)


def test_files_without_rows(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"a": []}), tmp_path / "empty.parquet")
    empty = {"empty.jsonl": b"", "blank.jsonl": b"\n \n", "empty.json": b" [ ]\n"}
    empty |= {"zero.json": b"", "empty.csv": b"", "header.csv": b"a,b\r\n"}
    for name, content in empty.items():
        (tmp_path / name).write_bytes(content)
    for name in (*empty, "empty.parquet"):
        with pytest.raises(InputError, match=f"{name} holds no rows"):
            read_rows(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.jsonl", r"There is no file .*gone\.jsonl"),
        ("rows.xlsx", r"rows\.xlsx: unknown kind of file '\.xlsx'"),
        ("rows", "rows: unknown kind of file ''"),
        ("", "is a folder, not a file of rows"),
        ("x" * 300 + ".jsonl", "cannot be read: File name too long"),
    ],
)
def test_no_file_of_rows(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"PK")
    with pytest.raises(InputError, match=message):
        read_rows(tmp_path / name)


def test_a_folder_names_the_formats(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read_rows(tmp_path)
    assert all(kind in refused.value.fix for kind in (".jsonl", ".json", ".csv", ".parquet"))
