"""What is wrong with a machine, for machines that this one is not."""

import os
from collections import namedtuple
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from nybble.model import health
from nybble.model.finding import Finding
from nybble.model.health import (
    Health,
    disk_finding,
    examine,
    library_finding,
    memory_finding,
    python_finding,
)

Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 10, 9), "error"), ((3, 11, 0), "ok"), ((3, 13, 5), "ok"), ((3, 14, 0), "error")],
)
def test_python(version: tuple[int, ...], status: str) -> None:
    assert python_finding(version).status == status


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("2.10.1", "error"), ("2.11.0+cu130", "ok"), ("2.13.0+cpu", "ok"), ("2.13.0rc1", "ok"),
        ("2.14.0", "error"), (None, "error"),
    ],
)  # fmt: skip
def test_libraries_in_and_out_of_the_supported_range(version: str | None, status: str) -> None:
    found = library_finding(Requirement("torch>=2.11,<2.14"), version)
    assert found.status == status
    assert bool(found.fix) == (status == "error")
    if found.fix:
        assert "pip install 'torch" in found.fix


@pytest.mark.parametrize(
    ("gigabytes", "status"), [(0.5, "error"), (1.5, "note"), (19, "note"), (21, "ok")]
)
def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gigabytes: float, status: str):
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: Usage(0, 0, int(gigabytes * 1e9)))
    found = disk_finding("disk", tmp_path / "not" / "there")
    assert found.status == status
    assert found.found == f"{gigabytes:.1f} GB free in {tmp_path}"


def test_a_folder_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health.os, "access", lambda *_: False)
    assert disk_finding("disk", tmp_path).status == "error"


def test_memory() -> None:
    assert memory_finding(64_000_000_000).status == "ok"
    assert memory_finding(2_000_000_000).status == "note"


def test_only_errors_keep_a_machine_from_training() -> None:
    ok, note, error = (Finding("a", status, "") for status in ("ok", "note", "error"))
    assert Health((ok, note)).ready
    assert not Health((ok, note, error)).ready
    assert not Health((error,)).as_json()["ready"]


@pytest.mark.parametrize("kind", [ImportError, OSError, RuntimeError])
def test_a_torch_that_does_not_load_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    import sys
    import types

    broken = types.ModuleType("nybble.model.gpu_check")

    def fail() -> None:
        raise kind("libcudart.so.13: cannot open shared object file\nmore")

    broken.gpu_findings = fail  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nybble.model.gpu_check", broken)
    (found,) = health._accelerator_findings()
    assert (found.name, found.status) == ("torch works", "error")
    assert found.found == "libcudart.so.13: cannot open shared object file"


@pytest.mark.slow
def test_this_machine_is_examined_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hf_" + "a1B2" * 8
    monkeypatch.setenv("HF_TOKEN", secret)
    health = examine()
    names = [finding.name for finding in health.findings]
    for name in ("python", "torch", "GPU", "precision", "4-bit", "memory", "Hugging Face token"):
        assert name in names
    assert health.ready, [f for f in health.findings if f.status == "error"]
    assert all(f.fix for f in health.findings if f.status != "ok")
    assert secret not in str(health.as_json())
    assert os.environ["HF_TOKEN"] == secret
