"""Rows of a file on the disk: JSON lines, JSON, CSV or Parquet, by its suffix."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError
from nybble.sources.text_rows import Row, check_columns, csv_rows, json_lines, json_rows

_FORMATS = "Rows are read from .jsonl, .json, .csv and .parquet files."


def read_rows(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    """The rows of `path`, or its first `limit` ones: later ones are then not even looked at.

    Raises `InputError` for a missing, empty or unknown file and for the first broken row: by its
    line in JSON lines, by its number from 1, without the header, everywhere else.
    """
    try:
        rows = list(islice(_reader(path)(path), limit))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path} cannot be read: {reason}.", "Check the file.") from None
    if not rows:
        raise InputError(f"{path} holds no rows.", "Name a file with at least one row.")
    return rows


def check_file(path: Path) -> None:
    """Raise `InputError` unless `path` is a file of a format that `read_rows` knows."""
    _reader(path)


def _reader(path: Path) -> Callable[[Path], Iterator[Row]]:
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file of rows.", _FORMATS)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: unknown kind of file {path.suffix!r}.", _FORMATS)
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Check the path.")
    return reader


def _parquet_rows(path: Path) -> Iterator[Row]:
    """Rows with Arrow's values as Python ones, one batch in memory at a time."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            check_columns(file.schema_arrow.names, path)
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"{path} is not a whole Parquet file: {reason}.", "Write or download it again."
        ) from None


_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": json_lines,
    ".json": json_rows,
    ".csv": csv_rows,
    ".parquet": _parquet_rows,
}
