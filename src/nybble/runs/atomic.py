"""Files and folders that are there whole or not at all.

A file is written under a temporary name beside its target, flushed to the disk, then renamed over
it; a folder likewise. A crash at any byte leaves the old content or the new, never a part.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from nybble.runs.errors import disk_error, in_python

PARTIAL_PREFIX = ".partial-"
# An old folder on its way out: between two renames it is the only whole one.
REPLACED_PREFIX = ".replaced-"
# So far the times of files and of processes may lie apart.
CLOCK_SECONDS = 2.0


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, atomically. Errors of the disk name `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_partial()}{path.name}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str) -> None:
    """Replace `path` by `content` in UTF-8, atomically."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as indented JSON, atomically. NaN and infinity are refused."""
    write_bytes(path, _utf8(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)))


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace `path` by one JSON object a line, atomically."""
    lines = (_utf8(json.dumps(row, ensure_ascii=False, allow_nan=False)) for row in rows)
    write_bytes(path, b"".join(lines))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects in `path`, none where there is no file.

    Of a file that is appended to, a crash may cut off the last line: it is left out.
    """
    if not path.exists():
        return []
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A scratch folder that becomes `path` when the block ends well, and vanishes when it does not.

    A folder already at `path` is replaced only at the very end. Errors of the disk name `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{_partial()}{path.name}-", dir=path.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        _sync_files(scratch)
        if path.exists():
            _exchange(scratch, path)
        else:
            os.replace(scratch, path)
    except Exception as error:
        shutil.rmtree(scratch, ignore_errors=True)
        found = in_python(error)
        if isinstance(found, OSError) and disk_error(found) and _is_below(found.filename, scratch):
            raise OSError(found.errno, found.strerror, str(path)) from error
        raise
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def remove_folder(path: Path) -> None:
    """Remove the folder `path`; a crash in the middle leaves nothing under its name."""
    aside = Path(tempfile.mkdtemp(prefix=f"{_partial()}{path.name}-", dir=path.parent))
    os.replace(path, aside)
    shutil.rmtree(aside)


def sweep(folder: Path) -> None:
    """Remove what processes that are no more left half-written in `folder` and below it.

    A folder that was about to be replaced is put back where nothing came in its place.
    """
    for aside in _abandoned(folder, REPLACED_PREFIX):
        for old in aside.iterdir():
            if not (aside.parent / old.name).exists():
                os.replace(old, aside.parent / old.name)
        shutil.rmtree(aside, ignore_errors=True)
    for path in _abandoned(folder, PARTIAL_PREFIX):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _abandoned(folder: Path, prefix: str) -> list[Path]:
    """What begins with `prefix` and the number of a process that is no more."""
    found = []
    for path in sorted(folder.rglob(f"{prefix}*")):
        process = path.name.removeprefix(prefix).partition("-")[0]
        if process.isdigit() and not _may_be_of(path, int(process)):
            found.append(path)
    return found


def _may_be_of(path: Path, process: int) -> bool:
    """Whether the process of this number runs, and ran when `path` was last changed.

    Numbers come again: in a container a run has the same one each time that it is started.
    """
    try:
        began = float(psutil.Process(process).create_time())
        return began <= path.stat().st_mtime + CLOCK_SECONDS
    except psutil.AccessDenied:
        return True
    except (psutil.NoSuchProcess, FileNotFoundError):
        return False


def _utf8(line: str) -> bytes:
    """JSON and a line's end. Half a character (a lone surrogate) is none in UTF-8, but an escape of
    JSON: \\ud83d."""
    return line.encode(errors="backslashreplace") + b"\n"


def _partial() -> str:
    """How the names of this process's unfinished files and folders begin."""
    return f"{PARTIAL_PREFIX}{os.getpid()}-"


def _is_below(name: str | None, folder: Path) -> bool:
    """Whether an error's file lies in `folder`; one without a name came from writing there."""
    return name is None or Path(name).is_relative_to(folder)


def _exchange(scratch: Path, path: Path) -> None:
    """Put `scratch` where the folder `path` is; on an error `path` is what it was."""
    aside = Path(tempfile.mkdtemp(prefix=f"{REPLACED_PREFIX}{os.getpid()}-", dir=path.parent))
    old = aside / path.name
    try:
        os.replace(path, old)
        os.replace(scratch, path)
    except BaseException:
        if old.exists():
            os.replace(old, path)
        aside.rmdir()
        raise
    shutil.rmtree(aside)


def _sync_files(folder: Path) -> None:
    """Flush every file below `folder` to the disk, so that the rename comes after the content."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
