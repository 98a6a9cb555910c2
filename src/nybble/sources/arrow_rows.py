"""Rows of Arrow's tables: Parquet files, and data sets that the `datasets` library holds open.

A page of rows at a time becomes Python values. Arrow folders are memory-mapped; of a Parquet file,
which is compressed, one row group at a time is unpacked.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError
from nybble.sources.csv_rows import check_columns
from nybble.sources.lazy_rows import LazyRows, Row

PAGE_ROWS = 1000


class ArrowRows(LazyRows):
    """`length` rows; `page(start, stop)` gives an Arrow table of some of them."""

    def __init__(self, name: str, length: int, page: Callable[[int, int], Any]) -> None:
        self.name = name
        self._length = length
        self._page = page
        self._kept: tuple[int, list[Row]] = (0, [])

    def __len__(self) -> int:
        return self._length

    def read(self, index: int) -> Row:
        start, rows = self._kept
        if not start <= index < start + len(rows):
            start = index - index % PAGE_ROWS
            with _arrow_errors(self.where(start)):
                rows = self._page(start, min(start + PAGE_ROWS, self._length)).to_pylist()
            self._kept = (start, rows)
        return rows[index - start]


def parquet_rows(path: Path, limit: int | None = None) -> ArrowRows:
    """The rows of a Parquet file, with Arrow's values as Python ones."""
    with _arrow_errors(str(path)):
        groups = _RowGroups(path)
    rows = groups.ends[-1] if groups.ends else 0
    return ArrowRows(str(path), rows if limit is None else min(rows, limit), groups.rows)


class _RowGroups:
    """A Parquet file by rows: the row group that was read last stays unpacked."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet

        self.file = pyarrow.parquet.ParquetFile(path, memory_map=True)
        check_columns(self.file.schema_arrow.names, path)
        sizes = [self.file.metadata.row_group(i).num_rows for i in range(self.file.num_row_groups)]
        self.ends = list(accumulate(sizes))
        self._number = -1
        self._group: Any = None

    def rows(self, start: int, stop: int) -> Any:
        """The table of rows `start` to `stop`, which may lie in several row groups."""
        import pyarrow

        pieces = []
        while start < stop:
            number = bisect_right(self.ends, start)
            begin = self.ends[number - 1] if number else 0
            end = min(stop, self.ends[number])
            pieces.append(self._unpacked(number).slice(start - begin, end - start))
            start = end
        return pyarrow.concat_tables(pieces)

    def _unpacked(self, number: int) -> Any:
        if number != self._number:
            self._group = None  # let go before the next: one in memory at a time
            self._group = self.file.read_row_group(number)
            self._number = number
        return self._group


@contextmanager
def _arrow_errors(where: str) -> Iterator[None]:
    import pyarrow

    try:
        yield
    # A page that does not unpack is an OSError to Arrow, without a number of the system's.
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(
            f"{where} is not whole: {reason}.", "Write or download the file again."
        ) from None
