import errno
import json
import math
import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.runs.atomic import new_folder, write_bytes, write_json, write_json_lines, write_text


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    } | {str(p.relative_to(folder)): None for p in folder.rglob("*") if p.is_dir()}


def no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fails_at(call, function):
    """`function`, but its call number `call` (from 1) finds the disk full."""
    calls = 0

    def wrapped(*args, **kwargs):
        nonlocal calls
        calls += 1
        return no_space() if calls == call else function(*args, **kwargs)

    return wrapped


def test_a_file_is_written_with_its_folders(tmp_path):
    write_bytes(tmp_path / "a" / "b" / "c.bin", b"\x00\xff")
    assert tree(tmp_path) == {"a": None, "a/b": None, "a/b/c.bin": b"\x00\xff"}


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, function):
    path = tmp_path / "plan.json"
    write_text(path, "old")
    monkeypatch.setattr(os, function, no_space)
    with pytest.raises(OSError, match="No space") as caught:
        write_text(path, "new")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert tree(tmp_path) == {"plan.json": b"old"}


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch, function):
    monkeypatch.setattr(os, function, no_space)
    with pytest.raises(OSError, match="No space"):
        write_bytes(tmp_path / "new.bin", b"content")
    assert tree(tmp_path) == {}


def test_an_interrupt_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    def interrupt(_descriptor):
        raise KeyboardInterrupt

    write_text(tmp_path / "a", "old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "a", "new")
    assert tree(tmp_path) == {"a": b"old"}


def test_content_is_flushed_to_the_disk_before_the_rename(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("replace"), replace(a, b))[1])
    write_text(tmp_path / "a", "x")
    assert order == ["fsync", "replace"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab\n\u2028é"), inner),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=15)
@given(value=JSON)
def test_json_comes_back_as_it_was(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert json.loads(path.read_bytes()) == value


@settings(max_examples=15)
@given(rows=st.lists(st.dictionaries(st.text("ab\n\u2028é"), JSON), max_size=4))
def test_each_row_of_json_lines_is_one_line(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    write_json_lines(path, rows)
    assert [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] == rows


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_json_has_not_are_refused_and_nothing_is_written(tmp_path, number):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": number})
    with pytest.raises(ValueError, match="JSON"):
        write_json_lines(tmp_path / "a.jsonl", [{"loss": number}])
    assert tree(tmp_path) == {}


def test_a_folder_appears_when_it_is_whole(tmp_path):
    target = tmp_path / "runs" / "adapter"
    with new_folder(target) as scratch:
        (scratch / "sub").mkdir()
        (scratch / "sub" / "a").write_text("1")
        assert not target.exists()
    assert tree(tmp_path / "runs") == {"adapter": None, "adapter/sub": None, "adapter/sub/a": b"1"}
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_folder_is_replaced_whole(tmp_path):
    for name in ("old", "new"):
        with new_folder(tmp_path / "adapter") as scratch:
            (scratch / name).write_text(name)
    assert tree(tmp_path) == {"adapter": None, "adapter/new": b"new"}


@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_folder(tmp_path, problem):
    with new_folder(tmp_path / "adapter") as scratch:
        (scratch / "a").write_text("old")
    with pytest.raises(problem), new_folder(tmp_path / "adapter") as scratch:
        (scratch / "a").write_text("new")
        raise problem
    assert tree(tmp_path) == {"adapter": None, "adapter/a": b"old"}


@pytest.mark.parametrize(("function", "call"), [("fsync", 1), ("replace", 1), ("replace", 2)])
def test_a_full_disk_at_any_step_leaves_the_old_folder(tmp_path, monkeypatch, function, call):
    with new_folder(tmp_path / "adapter") as scratch:
        (scratch / "a").write_text("old")
    monkeypatch.setattr(os, function, fails_at(call, getattr(os, function)))
    with pytest.raises(OSError, match="No space"), new_folder(tmp_path / "adapter") as scratch:
        (scratch / "a").write_text("new")
    assert tree(tmp_path) == {"adapter": None, "adapter/a": b"old"}


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_full_disk_leaves_no_part_of_a_new_folder(tmp_path, monkeypatch, function):
    monkeypatch.setattr(os, function, no_space)
    with pytest.raises(OSError, match="No space"), new_folder(tmp_path / "adapter") as scratch:
        (scratch / "a").write_text("new")
    assert tree(tmp_path) == {}


FULL_DISK = """
import json, os, sys
from pathlib import Path
from nybble.runs.atomic import new_folder, write_bytes
from nybble.runs.errors import disk_error

disk, errors = Path(sys.argv[1]), []
write_bytes(disk / "small", b"old")
def folder():
    with new_folder(disk / "adapter") as scratch:
        (scratch / "weights").write_bytes(bytes(1_000_000))
for work in (lambda: write_bytes(disk / "small", bytes(1_000_000)),
             lambda: write_bytes(disk / "large", bytes(1_000_000)), folder):
    try:
        work()
    except OSError as error:
        errors.append(str(disk_error(error)))
left = {p.name: p.read_bytes().decode() for p in disk.rglob("*")}
print(json.dumps({"errors": errors, "left": left}))
"""


def test_a_disk_that_is_really_full_loses_nothing(tmp_path):
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare, to mount a small disk of its own")
    disk = tmp_path / "disk"
    disk.mkdir()
    # In a mount namespace of its own, so that the disk goes with the process.
    mount = 'mount -t tmpfs -o size=256k none "$1" || exit 77; shift; exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", disk, sys.executable, "-c", FULL_DISK]
    done = subprocess.run([*command, disk], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode in (1, 77) and not done.stdout and "Traceback" not in done.stderr:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["left"] == {"small": "old"}
    assert len(result["errors"]) == 3
    for name, error in zip(("small", "large", ""), result["errors"], strict=True):
        message, fix = error.split("\n")
        assert message.startswith("The disk is full")
        assert name in message
        assert "--output" in fix


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        Exception("Error while serializing: I/O error: No space (os error 28)"),
    ],
)
def test_a_disk_that_is_full_in_a_new_folder_is_told_with_what_was_to_be(error, tmp_path):
    with pytest.raises(OSError) as told, new_folder(tmp_path / "checkpoint-3"):
        raise error
    assert (told.value.errno, told.value.filename) == (28, str(tmp_path / "checkpoint-3"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_a_new_folder_that_finds_no_room_is_told_as_the_folder(tmp_path):
    with pytest.raises(OSError) as told, new_folder(tmp_path / "adapter") as scratch:
        raise OSError(errno.ENOSPC, "No space left on device", str(scratch / "x.json"))
    assert told.value.filename == str(tmp_path / "adapter")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/elsewhere/x"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        FileNotFoundError(errno.ENOENT, "No such file", "/elsewhere/x"),
        ValueError("not of the disk"),
    ],
)
def test_what_is_not_of_a_new_folders_disk_is_left_as_it_is(error, tmp_path):
    with pytest.raises(type(error)) as told, new_folder(tmp_path / "adapter"):
        raise error
    assert told.value is error


def test_half_a_character_is_written_as_json_can_say_it(tmp_path):
    """A server's reply, or an error that a program raised, may hold one."""
    write_json(tmp_path / "a.json", {"text": "half \ud83d, é"})
    write_json_lines(tmp_path / "a.jsonl", [{"text": "half \ud83d, é"}])
    for name in ("a.json", "a.jsonl"):
        written = (tmp_path / name).read_text(encoding="utf-8")
        assert json.loads(written) == {"text": "half \ud83d, é"}
        assert "\\ud83d, é" in written
