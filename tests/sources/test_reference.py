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
        *("owner/name:", "owner/name#", "owner/name:a/b", "o n/x", "x" * 5000),
    ],
)
def test_neither_path_nor_repository(text: str) -> None:
    with pytest.raises(InputError, match="not the name of a Hub repository") as refused:
        parse_reference(text)
    assert "owner/name" in refused.value.fix


def test_kaggle_is_not_supported_yet() -> None:
    with pytest.raises(InputError, match=r"kaggle:owner/model: .* not supported yet"):
        parse_reference("kaggle:owner/model")


def test_a_path_is_made_absolute_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "name").mkdir(parents=True)
    assert absolute("./rows") == str(tmp_path / "rows")
    assert absolute("rows.csv") == str(tmp_path / "rows.csv")
    assert absolute("owner/name") == str(tmp_path / "owner" / "name")
    assert absolute("~/model") == str(Path.home() / "model")
    for name in ("bundled:mini", "hub:owner/name", "owner/other", "owner/other:config#test"):
        assert absolute(name) == name
