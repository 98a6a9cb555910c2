"""Kaggle's answers, by a kagglehub of our own in the real one's place."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from nybble.runs.errors import InputError
from nybble.sources import load_rows, locate_model
from nybble.sources.kaggle import kaggle_model, kaggle_rows
from nybble.sources.models import check_model

from .tiny import model_files, write

MODEL = "metaresearch/llama-3.2/transformers/3b"


class Kaggle(ModuleType):
    """`dataset_download` and `model_download` as kagglehub has them."""

    def __init__(self, folder: Path) -> None:
        super().__init__("kagglehub")
        self.folder = folder
        self.asked: list[str] = []
        self.error: Exception | None = None

    def dataset_download(self, handle: str) -> str:
        self.asked.append(handle)
        if self.error:
            raise self.error
        return str(self.folder)

    model_download = dataset_download


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kaggle:
    (tmp_path / "kaggle").mkdir()
    module = Kaggle(tmp_path / "kaggle")
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return module


def test_the_only_file_of_rows_is_taken(kaggle: Kaggle) -> None:
    (kaggle.folder / "README.md").write_text("# rows")
    (kaggle.folder / "rows.csv").write_text("prompt,completion\na,b\n")
    assert load_rows("kaggle:me/prices", "main", None) == [{"prompt": "a", "completion": "b"}]
    assert kaggle.asked == ["me/prices"]


def test_of_several_files_one_is_named(kaggle: Kaggle) -> None:
    (kaggle.folder / "sub").mkdir()
    (kaggle.folder / "a.csv").write_text("x\n1\n")
    (kaggle.folder / "sub" / "b.jsonl").write_text('{"x": 2}\n')
    assert load_rows("kaggle:me/prices/sub/b.jsonl", "main", None) == [{"x": 2}]
    with pytest.raises(InputError, match="has 2 files of rows") as told:
        kaggle_rows("me/prices")
    assert "kaggle:me/prices/a.csv" in told.value.fix
    with pytest.raises(InputError, match=r"has no file c\.csv"):
        kaggle_rows("me/prices/c.csv")


def test_a_data_set_without_rows(kaggle: Kaggle) -> None:
    (kaggle.folder / "photo.png").write_bytes(b"")
    with pytest.raises(InputError, match="has 0 files of rows") as told:
        kaggle_rows("me/photos")
    assert ".parquet" in told.value.fix


def test_a_model(kaggle: Kaggle) -> None:
    write(kaggle.folder, model_files())
    folder = locate_model(f"kaggle:{MODEL}", "main")
    assert (folder, kaggle.asked) == (kaggle.folder, [MODEL])
    check_model(folder)


@pytest.mark.parametrize("framework", ["pyTorch", "PyTorch", "pytorch"])
def test_metas_own_format_is_refused_before_a_download(kaggle: Kaggle, framework: str) -> None:
    with pytest.raises(InputError, match="Meta's own format") as told:
        kaggle_model(f"metaresearch/llama-3.2/{framework}/3b/1")
    assert f"kaggle:{MODEL}" in told.value.fix
    assert kaggle.asked == []


def test_a_folder_in_metas_own_format_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, {"params.json": b"{}", "consolidated.00.pth": b"P"})
    with pytest.raises(InputError, match=r"params\.json and consolidated") as told:
        check_model(folder)
    assert "transformers" in told.value.fix


def test_without_kagglehub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(InputError, match="kagglehub, which is not installed") as told:
        kaggle_model(MODEL)
    assert "pip install 'nybble[kaggle]'" in told.value.fix


def http(status: int) -> Exception:
    error: Any = OSError("401 Client Error: https://www.kaggle.com/api?key=secret")
    error.response = SimpleNamespace(status_code=status)
    return error


def named(name: str) -> Exception:
    made: Exception = type(name, (Exception,), {})("no")
    return made


@pytest.mark.parametrize(
    ("error", "message", "fix"),
    [
        (http(403), "licence must be accepted", "kaggle.com/models/metaresearch/llama-3.2"),
        (http(401), "does not accept your credentials", "KAGGLE_USERNAME"),
        (named("CredentialError"), "does not accept your credentials", "kaggle.json"),
        (http(404), "has no model", "spelling"),
        (http(500), "answered 500", "again"),
        (ConnectionError("no"), "could not be reached", "network"),
        (ValueError("Invalid Kaggle credentials file"), "credentials file", "KAGGLE_USERNAME"),
    ],
)
def test_refusals(kaggle: Kaggle, error: Exception, message: str, fix: str) -> None:
    kaggle.error = error
    with pytest.raises(InputError, match=message) as told:
        kaggle_model(MODEL)
    assert fix in told.value.fix
    assert "secret" not in str(told.value)


def test_an_error_that_nobody_expected_passes(kaggle: Kaggle) -> None:
    kaggle.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        kaggle_model(MODEL)
