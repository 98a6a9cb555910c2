"""Each hostile program is contained, ends as a plain failure, and leaves nothing behind."""

import importlib.util
import os
from pathlib import Path

import psutil
import pytest

from nybble.evaluation import sandbox
from nybble.evaluation.sandbox import Limits

_spec = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
hostile = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hostile)

pytestmark = pytest.mark.slow

SECRET = "hf_" + "s3cret" * 5
TESTS = [
    "assert double(2) == 4",
    "assert set([double(3)]) == set([6])",
    "assert abs(double(1) - 2) < 1",
]


@pytest.fixture
def victim(tmp_path, monkeypatch):
    """A home with a token, and a working folder with secrets, as they were."""
    home, here = tmp_path / "home", tmp_path / "here"
    (home / ".cache" / "huggingface").mkdir(parents=True)
    here.mkdir()
    (home / ".cache" / "huggingface" / "token").write_text(SECRET)
    (here / ".env").write_text(f"HF_TOKEN={SECRET}\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.chdir(here)
    yield {"home": home, "here": here, "pid": os.getpid(), "uid": os.getuid()}
    files = sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    )
    assert files == ["here/.env", "home/.cache/huggingface/token"]


@pytest.mark.parametrize("name", hostile.CONTAINED)
def test_contained(name, victim, short, nothing_left):
    program = hostile.source_of(hostile.CONTAINED[name], **victim)
    verdict = sandbox.run(program + hostile.WRONG, limits=short)
    assert not verdict.passed
    assert verdict.reason
    assert "\n" not in verdict.reason.strip()
    assert not verdict.reason.startswith("AssertionError") or "assert" in program
    assert SECRET not in verdict.reason + verdict.output
    assert len(verdict.output) <= 8192
    assert psutil.Process().status() != psutil.STATUS_STOPPED


@pytest.mark.parametrize("name", hostile.DECEIVING)
def test_no_pass_is_claimed(name, victim, nothing_left):
    program = hostile.source_of(hostile.DECEIVING[name], **victim)
    limits = Limits(cpu_seconds=1, wall_seconds=2.0)
    verdict = sandbox.run(program, TESTS, limits=limits)
    assert not verdict.passed
    assert not any(assertion.passed for assertion in verdict.assertions)
    assert not sandbox.run(program + hostile.WRONG, limits=limits).passed


def test_a_right_program_passes_the_same_tests():
    assert sandbox.run("def double(x):\n    return 2 * x", TESTS).passed
