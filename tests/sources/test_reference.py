"""What a reference's spelling means."""

from pathlib import Path

import pytest

from nybble.runs.errors import InputError
from nybble.sources.reference import Reference, absolute, parse_reference


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bundled:mini", Reference("bundled", "mini")),
        ("bundled:", Reference("bundled", "")),
        ("owner/name", Reference("hub", "owner/name")),
        ("hub:owner/name", Reference("hub", "owner/name")),
        ("meta-llama/Llama-3.2-3B", Reference("hub", "meta-llama/Llama-3.2-3B")),
        ("owner/name:main", Reference("hub", "owner/name", "main")),
        ("owner/name#test", Reference("hub", "owner/name", None, "test")),
        ("owner/name@v1.0", Reference("hub", "owner/name", revision="v1.0")),
        ("hub:owner/name@refs/pr/1", Reference("hub", "owner/name", revision="refs/pr/1")),
        ("owner/name@v1:main#test", Reference("hub", "owner/name", "main", "test", "v1")),
        ("hub:owner/name:main#test", Reference("hub", "owner/name", "main", "test")),
        ("./owner/name", Reference("path", "./owner/name")),
        ("../name", Reference("path", "../name")),
        ("~no-such-user/name", Reference("path", "~no-such-user/name")),
        ("/data/name", Reference("path", "/data/name")),
        ("rows.jsonl", Reference("path", "rows.jsonl")),
        ("data/rows.json", Reference("path", "data/rows.json")),
        ("data/Rows.CSV", Reference("path", "data/Rows.CSV")),
        ("data/rows.parquet", Reference("path", "data/rows.parquet")),
    ],
)
def test_spellings(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected


def test_what_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert parse_reference("owner/name") == Reference("path", "owner/name")
    assert parse_reference("owner") == Reference("path", "owner")
    assert parse_reference("hub:owner/name") == Reference("hub", "owner/name")


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_reference("~/models/mine") == Reference("path", f"{tmp_path}/models/mine")


@pytest.mark.parametrize(
    "text",
    [
        *("", "foo", "a/b/c", "owner/", "a/b?x=1", "hub:gpt2", "hub:./rows.jsonl", "s3://bucket/x"),
        *("owner/name:", "owner/name#", "owner/name:a/b", "owner/name@", "o n/x", "x" * 5000),
    ],
)
def test_neither_path_nor_repository(text: str) -> None:
    with pytest.raises(InputError, match="not the name of a Hub repository") as refused:
        parse_reference(text)
    assert "owner/name" in refused.value.fix


@pytest.mark.parametrize(
    "rest", ["owner/name", "owner/name/rows v1 (2).csv", "o/m/transformers/3b/1"]
)
def test_names_on_kaggle(rest: str) -> None:
    assert parse_reference(f"kaggle:{rest}") == Reference("kaggle", rest)


@pytest.mark.parametrize(
    "rest", ["", "name", "owner/", "owner/../x", "../x", "owner/.hidden", "a/b?"]
)
def test_what_is_no_name_on_kaggle(rest: str) -> None:
    with pytest.raises(InputError, match="does not name anything on Kaggle"):
        parse_reference(f"kaggle:{rest}")


def test_a_pattern_of_files_and_a_split_of_a_saved_folder(tmp_path: Path) -> None:
    assert parse_reference("rows/*.jsonl") == Reference("path", "rows/*.jsonl")
    assert parse_reference(f"{tmp_path}#test") == Reference("path", str(tmp_path), None, "test")
    assert absolute(f"{tmp_path}#test") == f"{tmp_path}#test"
    (tmp_path / "a#b").mkdir()
    assert parse_reference(f"{tmp_path}/a#b") == Reference("path", f"{tmp_path}/a#b")


def test_a_path_is_made_absolute_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert absolute("./rows") == str(tmp_path / "rows")
    assert absolute("rows.csv") == str(tmp_path / "rows.csv")
    assert absolute("owner/name") == str(tmp_path / "owner" / "name")
    assert absolute("~/model") == str(Path.home() / "model")
    for name in ("bundled:mini", "hub:owner/name", "owner/other", "owner/other:config#test"):
        assert absolute(name) == name


def test_a_revision_is_named_once() -> None:
    pinned = parse_reference("owner/name@v1")
    assert pinned.revision_or("main") == pinned.revision_or("v1") == "v1"
    assert parse_reference("owner/name").revision_or("v2") == "v2"
    with pytest.raises(InputError, match="at v1 and at v2"):
        pinned.revision_or("v2")
