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

PARTIAL_PREFIX = ".partial-"


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, atomically. Errors of the disk name `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{PARTIAL_PREFIX}{os.getpid()}-{path.name}")
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
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace `path` by one JSON object a line, atomically."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    write_text(path, "".join(lines))


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A scratch folder that becomes `path` when the block ends well, and vanishes when it does not.

    A folder already at `path` is replaced only at the very end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{PARTIAL_PREFIX}{path.name}-", dir=path.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        _sync_files(scratch)
        if path.exists():
            _exchange(scratch, path)
        else:
            os.replace(scratch, path)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _exchange(scratch: Path, path: Path) -> None:
    """Put `scratch` where the folder `path` is; on an error `path` is what it was."""
    aside = Path(tempfile.mkdtemp(prefix=f"{PARTIAL_PREFIX}old-", dir=path.parent))
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
