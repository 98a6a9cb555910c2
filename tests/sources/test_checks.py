"""File by file: what is there, what is missing, what is broken."""

from pathlib import Path

import pytest

from nybble.sources.checks import OPTIONAL_FILES, adapter_checks, model_checks, read_config

from .tiny import adapter_files, model_files, weights, write


def statuses(folder: Path) -> dict[str, str]:
    return {check.file: check.status for check in model_checks(folder)}


def test_a_whole_model_has_a_check_for_every_file(tmp_path: Path) -> None:
    files = model_files(shards=3) | {"generation_config.json": b"{}"}
    checks = {check.file: check for check in model_checks(write(tmp_path, files))}
    assert set(checks) == set(files)
    assert all(check.status == "ok" and check.error is None for check in checks.values())
    shard = "model-00002-of-00003.safetensors"
    assert checks[shard].found == f"2 tensors, {len(files[shard]):,} bytes"
    assert checks["config.json"].found == "llama"


def test_every_missing_and_every_cut_shard_is_marked(tmp_path: Path) -> None:
    files = model_files(shards=4)
    first, second, third, fourth = (name for name in files if name.endswith(".safetensors"))
    files[third] = files[third][:-3]
    whole = write(tmp_path, {name: files[name] for name in files if name not in (first, fourth)})
    checks = {check.file: check for check in model_checks(whole)}
    assert [checks[name].status for name in (first, second, third, fourth)] == [
        "error", "ok", "error", "error",
    ]  # fmt: skip
    assert checks[first].found == checks[fourth].found == "missing"
    assert checks[third].found.startswith("is cut off: its header asks for")
    for name in (first, fourth):
        assert "lacks 2 of the 4 files" in str(checks[name].error)


@pytest.mark.parametrize("name", OPTIONAL_FILES)
def test_an_optional_file_may_be_absent_but_not_broken(tmp_path: Path, name: str) -> None:
    files = {key: content for key, content in model_files().items() if key != name}
    folder = write(tmp_path, files)
    assert statuses(folder)[name] == "note"
    (folder / name).write_bytes(b"{")
    assert statuses(folder)[name] == "error"


def test_an_empty_folder_lacks_everything(tmp_path: Path) -> None:
    assert statuses(tmp_path) == {
        "config.json": "error", "*.safetensors": "error", "tokenizer.json": "error",
        "generation_config.json": "note", "tokenizer_config.json": "note",
    }  # fmt: skip


def test_a_tokenizer_that_is_cut_off(tmp_path: Path) -> None:
    folder = write(tmp_path, model_files() | {"tokenizer.json": b'{"version": "1.0", "tru'})
    found = {check.file: check for check in model_checks(folder)}["tokenizer.json"]
    assert found.status == "error"
    assert found.found.startswith("is not JSON")


def test_an_adapter(tmp_path: Path) -> None:
    folder = write(tmp_path, adapter_files())
    assert [check.status for check in adapter_checks(folder)] == ["ok", "ok"]
    (folder / "adapter_model.safetensors").write_bytes(weights()[:-1])
    assert [check.status for check in adapter_checks(folder)] == ["ok", "error"]


def test_the_config_is_read(tmp_path: Path) -> None:
    assert read_config(write(tmp_path, model_files())) == {"model_type": "llama"}
