"""Rows of a file on the disk: JSON lines, JSON, CSV or Parquet, by its suffix."""

from collections.abc import Callable
from glob import glob
from pathlib import Path

from nybble.runs.errors import InputError
from nybble.sources.arrow_rows import parquet_rows
from nybble.sources.csv_rows import csv_rows
from nybble.sources.json_rows import json_lines, json_rows
from nybble.sources.lazy_rows import JoinedRows, LazyRows

Reader = Callable[[Path, int | None], LazyRows]

_FORMATS = (
    "Rows are read from .jsonl, .json, .csv and .parquet files, and from folders that "
    "`datasets` saved."
)


def read_rows(path: Path, limit: int | None = None) -> LazyRows:
    """The rows of `path`, or its first `limit` ones: later ones are then not even looked at.

    Text files are checked as a whole here, and rows are read again when they are indexed.

    Raises `InputError` for a missing, empty or unknown file and for the first broken row: by its
    line in JSON lines, by its number from 1, without the header, everywhere else.
    """
    try:
        rows = _reader(path)(path, limit)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path} cannot be read: {reason}.", "Check the file.") from None
    if not rows:
        raise InputError(f"{path} holds no rows.", "Name a file with at least one row.")
    return rows


def read_files(name: str, limit: int | None = None) -> LazyRows:
    """The rows of the file `name`, or of all files that it matches (`rows/*.jsonl`), in the order
    of their names. Errors name the file and the row in it.

    Raises `InputError` as `read_rows` does, and when no file matches.
    """
    paths = check_files(name)
    if paths == [Path(name)]:
        return read_rows(paths[0], limit)
    parts: list[LazyRows] = []
    for path in paths:
        left = None if limit is None else limit - sum(map(len, parts))
        if left == 0:
            break
        parts.append(read_rows(path, left))
    return JoinedRows(name, parts)


def check_files(name: str) -> list[Path]:
    """The files that `name` is or matches. Raises `InputError` for one that holds no rows."""
    paths = [Path(name)]
    if "*" in name and not paths[0].exists():
        paths = sorted(map(Path, glob(name, recursive=True)))  # noqa: PTH207
        if not paths:
            raise InputError(f"No file matches {name}.", "Check the path.")
    for path in paths:
        _reader(path)
    return paths


def _reader(path: Path) -> Reader:
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file of rows.", _FORMATS)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: unknown kind of file {path.suffix!r}.", _FORMATS)
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Check the path.")
    return reader


_READERS: dict[str, Reader] = {
    ".jsonl": json_lines,
    ".json": json_rows,
    ".csv": csv_rows,
    ".parquet": parquet_rows,
}
