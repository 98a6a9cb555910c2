"""The built wheel, in an empty folder, without the checkout."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
OVERRIDES = ["train.max_steps=2", "data.limit=300", "data.validation=20", "data.test=30",
             "evaluate.size=20"]  # fmt: skip


def test_the_wheel_runs_the_demo_in_an_empty_folder(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "nybble", "run", "price-demo", *OVERRIDES],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (run,) = (empty / "runs").iterdir()
    assert (run / "evaluation" / "comparison.json").is_file()
    config = (run / "adapter" / "adapter_config.json").read_text()
    assert str(site) in config  # it was the wheel's model, not the checkout's
