import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nybble.runs.atomic import PARTIAL_PREFIX, REPLACED_PREFIX, new_folder, sweep
from nybble.runs.errors import InputError
from nybble.runs.folder import check_output, create_run_folder
from nybble.runs.lock import check_not_locked, locked

HOLD = """
import sys, time
from pathlib import Path
from nybble.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
# A process that is killed at a chosen rename, with everything before it on the disk.
KILLED = """
import os, signal, sys
from pathlib import Path
from nybble.runs.atomic import new_folder
left, rename = int(sys.argv[2]), os.replace
def replace(*paths):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(*paths)
os.replace = replace
with new_folder(Path(sys.argv[1])) as scratch:
    (scratch / "which").write_text("new")
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return create_run_folder("x", tmp_path / "run", False, "name: x\n").path


@pytest.fixture
def dead() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_that_another_process_works_in_is_refused_until_it_ends(run: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(run)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="Another process is at work"), locked(run):
            pass
        for replace in (False, True):
            with pytest.raises(InputError, match="Another process is at work"):
                check_output(run, replace)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        if holder.stdout:
            holder.stdout.close()
    with locked(run):
        pass
    check_not_locked(run)


def test_a_lock_leaves_when_its_folder_is_removed(run: Path) -> None:
    with locked(run):
        for path in run.iterdir():
            path.unlink()
        run.rmdir()


def test_what_was_never_locked_is_free(tmp_path: Path) -> None:
    check_not_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_made_by_a_faster_process_is_not_taken(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("nybble.runs.folder.check_output", lambda *_: None)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    (tmp_path / "run").mkdir()
    with pytest.raises(InputError, match="Another process has just made"):
        create_run_folder("x", tmp_path / "run", False, "name: x\n")


def test_what_a_dead_process_left_is_swept_and_nothing_else(run: Path, dead: int) -> None:
    kept = [run / f"{PARTIAL_PREFIX}{os.getpid()}-a", run / f"{PARTIAL_PREFIX}b", run / "c"]
    for path in kept:
        path.write_text("")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / f"{PARTIAL_PREFIX}{dead}-checkpoint-3-x").mkdir()
    (run / f"{PARTIAL_PREFIX}{dead}-plan.json").write_text("{")
    with locked(run):
        pass
    left = {path.name for path in run.rglob("*")} - {".lock", "recipe.yaml", "checkpoints"}
    assert left == {path.name for path in kept}


@pytest.mark.parametrize(("renames", "which"), [(0, "old"), (1, "old"), (2, "new")])
def test_killed_while_it_replaces_a_folder_there_is_one_whole(
    tmp_path: Path, renames: int, which: str
) -> None:
    target = tmp_path / "adapter"
    with new_folder(target) as scratch:
        (scratch / "which").write_text("old")
    command = [sys.executable, "-c", KILLED, str(target), str(renames)]
    subprocess.run(command, check=False, timeout=60)
    sweep(tmp_path)
    assert (target / "which").read_text() == which
    assert not list(tmp_path.glob(f"{PARTIAL_PREFIX}*"))
    assert not list(tmp_path.glob(f"{REPLACED_PREFIX}*"))


def test_a_number_that_another_process_has_now_saves_nothing(tmp_path: Path) -> None:
    """In a container a run is the same process number, often 1, each time that it is started."""
    mine = os.getpid()
    partial = tmp_path / f"{PARTIAL_PREFIX}{mine}-checkpoint-3-x"
    aside = tmp_path / f"{REPLACED_PREFIX}{mine}-x"
    (aside / "adapter").mkdir(parents=True)
    partial.mkdir()
    for path in (partial, aside):
        os.utime(path, (1e9, 1e9))
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
