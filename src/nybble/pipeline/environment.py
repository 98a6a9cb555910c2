"""`environment.json`: what a run ran on."""

import platform
import subprocess
import sys
from importlib import metadata
from typing import Any

from nybble.runs.secrets import masked

PACKAGES = ("nybble", "torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets",
            "tokenizers", "safetensors", "huggingface_hub", "numpy", "scikit-learn")  # fmt: skip


def environment(device: str) -> dict[str, Any]:
    """Versions, platform, device, and the commit of the working folder where it is a checkout."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "device": device,
        "commit": _commit(),
        "packages": {name: _version(name) for name in PACKAGES},
        "command": masked(" ".join(["nybble", *sys.argv[1:]])),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
