"""Whole or not, for whatever can be named; and never a download."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nybble.sources
from nybble.runs.errors import InputError
from nybble.sources.verify import verify

from .fake_hub import Repository, running
from .tiny import adapter_files, model_files, write


def test_the_bundled_model_is_whole() -> None:
    verdict = verify("bundled:mini", "main")
    assert (verdict.kind, verdict.whole, verdict.fixes) == ("model", True, [])


@pytest.mark.parametrize(
    ("kind", "files"), [("model", model_files(3)), ("adapter", adapter_files())]
)
def test_any_needed_file_that_is_missing_makes_it_not_whole(
    tmp_path: Path, kind: str, files: dict[str, bytes]
) -> None:
    folder = write(tmp_path, files)
    verdict = verify(str(folder), "main")
    assert (verdict.kind, verdict.whole) == (kind, True)
    # An adapter's folder without its configuration is taken for a model's, and not whole either.
    for name in [n for n in files if n != "tokenizer_config.json"]:
        (folder / name).unlink()
        broken = verify(str(folder), "main")
        assert not broken.whole, name
        assert broken.fixes
        (folder / name).write_bytes(files[name])


def test_what_to_do_is_said_once(tmp_path: Path) -> None:
    folder = write(tmp_path, model_files(shards=3))
    for path in folder.glob("*.safetensors"):
        path.unlink()
    verdict = verify(str(folder), "main")
    assert len([check for check in verdict.checks if check.error]) == 3
    assert verdict.fixes == ["Copy or download the missing files."]
    assert verdict.as_json()["whole"] is False


def test_a_repository_that_was_never_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="me/model at v2 is not on this disk") as refused:
        verify("me/model", "v2")
    assert "nybble fetch" in refused.value.fix
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_run_points_to_its_adapter(tmp_path: Path) -> None:
    write(tmp_path / "adapter", adapter_files())
    with pytest.raises(InputError) as refused:
        verify(str(tmp_path), "main")
    assert str(tmp_path / "adapter") in refused.value.fix


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        verify(str(tmp_path / "gone"), "main")


ONLY_THE_CONFIG = """
from nybble.sources.models import locate_config, locate_model
from nybble.sources.verify import verify

folder = locate_config("me/model", "main")
print(sorted(path.name for path in folder.iterdir()))
verdict = verify("me/model", "main")
print([check.file for check in verdict.checks if check.status == "ok"], verdict.whole)
assert verify("me/model", folder.name).folder == folder  # by its commit
locate_model("me/model", "main")
print(verify("me/model", "main").whole)
"""


@pytest.mark.slow
def test_of_a_repository_on_the_hub_verify_sees_what_was_fetched(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(nybble.sources.__file__).parents[2]),
        "HF_HOME": str(tmp_path),
        "HF_HUB_DISABLE_XET": "1",
    }
    with running({"me/model": Repository({"main": model_files(shards=3)})}) as hub:
        done = subprocess.run(
            [sys.executable, "-c", ONLY_THE_CONFIG],
            env=environment | {"HF_ENDPOINT": hub.url},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['config.json']", "['config.json'] False", "True"]


def test_a_revision_in_the_name_is_the_one_that_is_looked_at(tmp_path, monkeypatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    cached = tmp_path / "models--me--adapter"
    (cached / "snapshots" / "abc").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "v1").write_text("abc")
    for name in ("hub:me/adapter@v1", "me/adapter@abc"):
        assert verify(name, "main").folder == cached / "snapshots" / "abc"
    with pytest.raises(InputError, match="at main is not on this disk"):
        verify("me/adapter", "main")
