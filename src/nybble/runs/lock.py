"""One process at a time works in a run's folder.

The lock is the operating system's: it ends with its process, however that ends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nybble.runs.atomic import sweep
from nybble.runs.errors import InputError

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`, swept of what killed processes left half-written.

    Raises `InputError` while another process holds it.
    """
    # Imported here: it takes as long as all of `nybble recipes`.
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"Another process is at work in {folder}.",
            "Wait until it ends, or choose another folder with --output DIR.",
        ) from None
    try:
        sweep(folder)
        yield
    finally:
        lock.release()


def check_not_locked(folder: Path) -> None:
    """Raise `InputError` while another process works in `folder`."""
    if (folder / LOCK).is_file():
        with locked(folder):
            pass
