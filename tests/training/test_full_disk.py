"""A disk that fills at any write of a training, page by page: a small file system of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

pytestmark = pytest.mark.slow
SESSION = Path(__file__).with_name("full_disk_session.py")
SCRIPT = """
mount -t tmpfs -o size=16m tmpfs "$1" || exit 99
"$2" "$3" "$1" $4
"""
# tmpfs gives room by the page, so steps of a page leave out no write.
STEP_BYTES = 4096 if settings().max_examples >= 1000 else 28 * 4096


def test_whenever_it_is_full_the_last_good_checkpoint_stays(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", SCRIPT, "bash", str(tmp_path), sys.executable,
         str(SESSION), str(STEP_BYTES)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    told = done.stdout.splitlines()
    count = int(next(line for line in told if "were cut off" in line).split()[0])
    assert count > 4
