"""Can this machine train? What `nybble doctor` looks at."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from nybble.model.finding import Finding
from nybble.model.token_check import token_findings

GIGABYTE = 1_000_000_000
# A 3B model is 6.4 GB on the disk and its checkpoints some more; the bundled one's take far less.
ROOMY_DISK_BYTES, LEAST_DISK_BYTES = 20 * GIGABYTE, GIGABYTE
# A 3B model's 16-bit shards pass through memory on their way to the GPU.
ROOMY_MEMORY_BYTES = 8 * GIGABYTE
# What a recipe's run imports; the rest is there when this file runs at all.
STACK = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "safetensors",
         "huggingface-hub")  # fmt: skip


@dataclass(frozen=True)
class Health:
    """All findings, in the order in which they are worth reading."""

    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        return not any(finding.status == "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {"ready": self.ready, "checks": [asdict(finding) for finding in self.findings]}


def examine(online: bool = False) -> Health:
    """Everything that training needs, looked at on this machine; `online` also asks the Hub.

    Imports torch and bitsandbytes: seconds. Nothing is raised for what is broken: it is a finding.
    """
    return Health((
        python_finding(sys.version_info[:3]),
        *library_findings(),
        *_accelerator_findings(),
        memory_finding(_free_memory_bytes()),
        disk_finding("disk for runs", Path.cwd()),
        disk_finding("disk for models", _hub_cache()),
        *token_findings(os.environ, online),
    ))  # fmt: skip


def python_finding(version: tuple[int, ...]) -> Finding:
    """Whether this Python is one that Nybble supports."""
    text = ".".join(map(str, version))
    supported = metadata.metadata("nybble")["Requires-Python"]
    if text in SpecifierSet(supported):
        return Finding("python", "ok", text)
    return Finding("python", "error", f"{text}, not {supported}", "Install Python 3.11 to 3.13.")


def library_findings() -> Iterator[Finding]:
    """Whether each library of the stack is there in a version that Nybble supports."""
    needed = {r.name: r for r in map(Requirement, metadata.requires("nybble") or [])}
    for name in STACK:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = None
        yield library_finding(needed[name], version)


def library_finding(needed: Requirement, version: str | None) -> Finding:
    """The finding for an installed `version`, None where there is none."""
    # Builds of torch such as 2.13.0+cpu are in the range; release candidates are taken as they are.
    if version is not None and needed.specifier.contains(version, prereleases=True):
        return Finding(needed.name, "ok", version)
    found = "not installed" if version is None else f"{version}, not {needed.specifier}"
    return Finding(
        needed.name, "error", found, f"Run: pip install '{needed.name}{needed.specifier}'"
    )


def _accelerator_findings() -> list[Finding]:
    try:
        from nybble.model.gpu_check import gpu_findings

        return gpu_findings()
    # OSError: a shared library of torch's is missing; RuntimeError: the GPU is taken, or broken.
    except (ImportError, OSError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        fix = "If nvidia-smi shows a free GPU, or none: pip install --force-reinstall torch"
        return [Finding("torch works", "error", reason, fix)]


def memory_finding(free_bytes: int) -> Finding:
    """Whether main memory will do for more than the bundled model."""
    found = f"{free_bytes / GIGABYTE:.1f} GB free"
    if free_bytes >= ROOMY_MEMORY_BYTES:
        return Finding("memory", "ok", found)
    return Finding("memory", "note", found, "Close other programs before you load a 3B model.")


def disk_finding(name: str, folder: Path) -> Finding:
    """Whether `folder`, or the nearest folder above it that exists, is writable and has room."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / GIGABYTE:.1f} GB free in {folder}"
    if not os.access(folder, os.W_OK):
        return Finding(
            name, "error", f"{folder} cannot be written to", "Work in a folder of yours."
        )
    if free < LEAST_DISK_BYTES:
        return Finding(name, "error", found, "Free at least 1 GB there.")
    if free < ROOMY_DISK_BYTES:
        return Finding(name, "note", found, "A 3B model and its checkpoints take about 10 GB.")
    return Finding(name, "ok", found)


def _free_memory_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
