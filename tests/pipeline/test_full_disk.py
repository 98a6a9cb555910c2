"""A disk that is really full, at several places of a run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
OVERRIDES = ["data.limit=300", "data.validation=20", "data.test=30", "evaluate.size=0"]
SCRIPT = """
mount -t tmpfs -o size=$1 tmpfs "$2" || exit 99
"$3" -m nybble train price-demo {overrides} $4 --output "$2/run"
code=$?
ls -A "$2" >&2
exit $code
"""


def run_on_a_disk_of(kilobytes: int, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    script = SCRIPT.format(overrides=" ".join(OVERRIDES))
    arguments = [f"{kilobytes}k", str(folder), sys.executable, " ".join(more)]
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", script, "bash", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    return done


# Full at plan.json, at the adapter, at the tokenizer beside it, at the first checkpoint.
@pytest.mark.parametrize(
    ("kilobytes", "more"),
    [
        (8, "train.max_steps=1"),
        (600, "train.max_steps=1"),
        (1240, "train.max_steps=1"),
        (600, "train.max_steps=2 train.save_steps=1"),
    ],
)
def test_a_full_disk_is_told_in_two_lines_and_leaves_nothing(kilobytes, more, tmp_path) -> None:
    done = run_on_a_disk_of(kilobytes, tmp_path, more)
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2  # and nothing of `ls`: the disk is empty again
    assert lines[0].startswith("The disk is full writing ")
