"""Folders that `datasets` saved: one data set, or several splits."""

from pathlib import Path
from typing import Any

import pytest

from nybble.runs.errors import InputError
from nybble.sources import load_rows

pytestmark = pytest.mark.slow
ROWS = [{"prompt": f"p{n}", "completion": "c", "n": n} for n in range(5)]


@pytest.fixture(scope="module")
def datasets() -> Any:
    import datasets

    return datasets


def test_one_data_set(tmp_path: Path, datasets: Any) -> None:
    folder = tmp_path / "saved"
    datasets.Dataset.from_list(ROWS).save_to_disk(folder)
    assert load_rows(str(folder), "main", None) == ROWS
    assert load_rows(str(folder), "main", 2) == ROWS[:2]
    with pytest.raises(InputError, match="has no splits"):
        load_rows(f"{folder}#train", "main", None)


def test_rows_that_were_picked_and_sorted_before_they_were_saved(
    tmp_path: Path, datasets: Any
) -> None:
    picked = datasets.Dataset.from_list(ROWS).select([4, 1, 3]).sort("n")
    picked.save_to_disk(tmp_path / "saved")
    assert [row["n"] for row in load_rows(str(tmp_path / "saved"), "main", None)] == [1, 3, 4]


def test_splits(tmp_path: Path, datasets: Any) -> None:
    parts = {"train": ROWS[:3], "test": ROWS[3:]}
    saved = {name: datasets.Dataset.from_list(rows) for name, rows in parts.items()}
    datasets.DatasetDict(saved).save_to_disk(tmp_path / "saved")
    assert load_rows(str(tmp_path / "saved"), "main", None) == ROWS[:3]
    assert load_rows(f"{tmp_path}/saved#test", "main", None) == ROWS[3:]
    with pytest.raises(InputError, match="has no split dev") as told:
        load_rows(f"{tmp_path}/saved#dev", "main", None)
    assert "test, train" in told.value.fix


@pytest.mark.parametrize("harm", ["missing", "cut", "no state"])
def test_a_folder_that_is_not_whole(tmp_path: Path, datasets: Any, harm: str) -> None:
    folder = tmp_path / "saved"
    datasets.Dataset.from_list(ROWS).save_to_disk(folder)
    (data,) = folder.glob("*.arrow")
    if harm == "missing":
        data.unlink()
    elif harm == "cut":
        data.write_bytes(data.read_bytes()[:100])
    else:
        (folder / "state.json").write_text("{}")
    with pytest.raises(InputError, match="is not a whole data set"):
        load_rows(str(folder), "main", None)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, not a file of rows") as told:
        load_rows(str(tmp_path), "main", None)
    assert "`datasets` saved" in told.value.fix
