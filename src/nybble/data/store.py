"""Token rows as flat arrays: about four bytes a token, in memory or on the disk.

    rows            [5 8 2] [7 2]        what `store[i]` gives, made when it is asked for
    input_ids        5 8 2   7 2         int32 [tokens]
    scored           0 1 1   1 1         bits [tokens], eight to a byte
    lengths          3       2           int32 [rows]
    numbers          1       2           int64 [rows], the place in the source
    prompt_lengths   1       0           int32 [prompts]
    prompt_counts    1       1           int32 [rows], several in a conversation
    spelled          0       0           bytes [rows], the rows' own flag

Small stores lie in memory. Large ones are files that are mapped into it.
"""

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nybble.data.render import TokenRow
from nybble.sources.lazy import Lazy

Array = NDArray[Any]

# Little-endian on every machine: files and fingerprints are the same everywhere.
COLUMNS = {
    "input_ids": "<i4",
    "scored": "u1",
    "lengths": "<i4",
    "numbers": "<i8",
    "prompt_lengths": "<i4",
    "prompt_counts": "<i4",
    "spelled": "u1",
}
LARGEST_IN_MEMORY_BYTES = 64 * 2**20
CHUNK_BYTES = 2**20


class TokenStore(Lazy[TokenRow]):
    """Rows over arrays that are named as above; `digests` are the arrays' SHA-256, in hex."""

    def __init__(self, arrays: Mapping[str, Array], digests: Mapping[str, str]) -> None:
        self.lengths: NDArray[np.int32] = arrays["lengths"]
        self.numbers: NDArray[np.int64] = arrays["numbers"]
        self.spelled: NDArray[np.uint8] = arrays["spelled"]
        self.digests = dict(digests)
        self._input_ids = arrays["input_ids"]
        self._scored = arrays["scored"]
        self._prompt_lengths = arrays["prompt_lengths"]
        self._starts = _starts(self.lengths)
        self._prompt_starts = _starts(arrays["prompt_counts"])

    def __len__(self) -> int:
        return len(self.lengths)

    def read(self, index: int) -> TokenRow:
        begin, end = self._prompt_starts[index : index + 2]
        return TokenRow(
            number=int(self.numbers[index]),
            input_ids=self.ids(index).tolist(),
            scored=self.scored(index).tolist(),
            prompt_lengths=tuple(self._prompt_lengths[begin:end].tolist()),
            spelled=bool(self.spelled[index]),
        )

    def ids(self, index: int) -> NDArray[np.int32]:
        """The ids of the row at `index` [tokens], without a copy."""
        begin, end = self._starts[index : index + 2]
        ids: NDArray[np.int32] = self._input_ids[begin:end]
        return ids

    def scored(self, index: int) -> NDArray[np.bool_]:
        """Whether each token of the row at `index` is scored [tokens]."""
        begin, end = (int(place) for place in self._starts[index : index + 2])
        bits = np.unpackbits(self._scored[begin // 8 : -(-end // 8)])
        return bits[begin % 8 :][: end - begin].astype(np.bool_)

    @property
    def tokens(self) -> int:
        return len(self._input_ids)

    @property
    def scored_tokens(self) -> int:
        return int(np.bitwise_count(self._scored).sum(dtype=np.int64))

    @property
    def longest(self) -> int:
        """Tokens of the longest row; 0 without rows."""
        return int(self.lengths.max(initial=0))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of ids, scored masks and their order; not of where the rows come from."""
        parts = (self.digests[name] for name in ("input_ids", "scored", "lengths"))
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()


class StoreWriter:
    """Takes rows in order and gives their store: files in `folder`, or in memory without one."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir()
        self._columns = {
            name: _Column(kind, folder and folder / name) for name, kind in COLUMNS.items()
        }
        self._waiting: Array = np.zeros(0, dtype=np.bool_)  # fewer bits than make a byte

    def add(self, rows: Sequence[TokenRow]) -> None:
        columns = self._columns
        lengths = [len(row.input_ids) for row in rows]
        columns["lengths"].add(lengths, len(rows))
        columns["input_ids"].add(_chained(row.input_ids for row in rows), sum(lengths))
        columns["numbers"].add((row.number for row in rows), len(rows))
        columns["spelled"].add((row.spelled for row in rows), len(rows))
        counts = [len(row.prompt_lengths) for row in rows]
        columns["prompt_counts"].add(counts, len(rows))
        columns["prompt_lengths"].add(_chained(row.prompt_lengths for row in rows), sum(counts))
        scored = np.fromiter(_chained(row.scored for row in rows), np.bool_, sum(lengths))
        self._add_bits(np.concatenate([self._waiting, scored]))

    def _add_bits(self, bits: Array) -> None:
        whole = len(bits) // 8 * 8
        packed = np.packbits(bits[:whole])
        self._columns["scored"].add(packed, len(packed))
        self._waiting = bits[whole:]

    def finish(self) -> TokenStore:
        """The store of all rows so far; nothing may be added after it."""
        last = np.packbits(self._waiting)
        self._columns["scored"].add(last, len(last))
        arrays = {name: column.finish() for name, column in self._columns.items()}
        digests = {name: column.digest.hexdigest() for name, column in self._columns.items()}
        return TokenStore(arrays, digests)

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(self, *_: object) -> None:
        for column in self._columns.values():
            column.close()


class _Column:
    """Values one after another, in memory or in the file at `path`, and their SHA-256."""

    def __init__(self, kind: str, path: Path | None) -> None:
        self.kind, self.path = kind, path
        self.digest = hashlib.sha256()
        self._file: IO[bytes] = io.BytesIO() if path is None else path.open("wb")

    def add(self, values: Iterable[int], count: int) -> None:
        if isinstance(values, np.ndarray):
            content = values.astype(self.kind, copy=False).tobytes()
        else:
            content = np.fromiter(values, self.kind, count).tobytes()
        self.digest.update(content)
        self._file.write(content)

    def finish(self) -> Array:
        if isinstance(self._file, io.BytesIO):
            return np.frombuffer(self._file.getbuffer(), self.kind)
        self.close()
        assert self.path is not None
        return _read(self.path, self.kind)

    def close(self) -> None:
        if not isinstance(self._file, io.BytesIO):
            self._file.close()


def write_store(rows: Sequence[TokenRow], folder: Path | None = None) -> TokenStore:
    """The store of `rows`."""
    with StoreWriter(folder) as writer:
        writer.add(rows)
        return writer.finish()


def open_store(folder: Path) -> TokenStore:
    """The store that a `StoreWriter` left in `folder`, with digests of what is there now.

    Raises `OSError` where a file is missing.
    """
    digests = {name: _digest(folder / name) for name in COLUMNS}
    return TokenStore({n: _read(folder / n, kind) for n, kind in COLUMNS.items()}, digests)


def _digest(path: Path) -> str:
    """Read through a buffer: pages of a memory map would count as this process's memory."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _read(path: Path, kind: str) -> Array:
    if path.stat().st_size <= LARGEST_IN_MEMORY_BYTES:
        return np.fromfile(path, kind)
    return np.memmap(path, kind, "r")


def _starts(lengths: Array) -> NDArray[np.int64]:
    """Where each item begins, and where the last one ends [items + 1]."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _chained(lists: Iterable[Iterable[int]]) -> Iterable[int]:
    return chain.from_iterable(lists)
