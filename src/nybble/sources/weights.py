"""Whether a file of weights is whole, by its header alone: no weight is read.

A safetensors file is an unsigned 64-bit length, a JSON header of that many bytes, and the tensors:

    | 8 bytes: n | n bytes: {"name": {"dtype", "shape", "data_offsets": [from, to]}, ...} | data |

Offsets count from the end of the header, so the last of them tells the size of a whole file.
"""

import json
import struct
from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError

# The format's own limit; a length above it is no length but the start of some other file.
MOST_HEADER_BYTES = 100_000_000
AGAIN = "Copy or download it again."

_LENGTH = struct.Struct("<Q")
_LFS_POINTER = b"version https://git-lfs"


def check_safetensors(path: Path) -> frozenset[str]:
    """The names of the tensors in `path`.

    Raises `InputError` when it is not a whole safetensors file, naming both sizes.
    """
    check_not_pointer(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH.size)
        if len(start) < _LENGTH.size:
            raise InputError(f"{path} is cut off: it is {size:,} bytes long.", AGAIN)
        header_bytes = _LENGTH.unpack(start)[0]
        if header_bytes > MOST_HEADER_BYTES:
            raise InputError(f"{path} is corrupt, or not a safetensors file.", AGAIN)
        header = file.read(header_bytes)
    if len(header) < header_bytes:
        expected = _LENGTH.size + header_bytes
        raise InputError(
            f"{path} is cut off inside its header: it is {size:,} bytes long, and the header alone "
            f"ends at {expected:,}.",
            AGAIN,
        )
    ends = _tensor_ends(path, header)
    expected = _LENGTH.size + header_bytes + max(ends.values(), default=0)
    if size != expected:
        wrong = "cut off" if size < expected else "corrupt"
        raise InputError(
            f"{path} is {wrong}: its header asks for {expected:,} bytes, the file has {size:,}.",
            AGAIN,
        )
    return frozenset(ends)


def _tensor_ends(path: Path, header: bytes) -> dict[str, int]:
    """Where each tensor ends, in bytes after the header."""
    try:
        entries: dict[str, Any] = json.loads(header)
        return {
            name: _end(*entry["data_offsets"])
            for name, entry in entries.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path} is corrupt: its header cannot be read.", AGAIN) from None


def _end(begin: Any, end: Any) -> int:
    if not (isinstance(begin, int) and isinstance(end, int) and 0 <= begin <= end):
        raise ValueError("offsets out of order")
    return end


def check_not_pointer(path: Path) -> None:
    """Raise `InputError` for what Git leaves in place of a large file that it did not fetch."""
    with path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
    if start == _LFS_POINTER:
        raise InputError(
            f"{path} is a Git LFS pointer, not the file itself.",
            "Run `git lfs pull` in that folder, or name the repository as owner/name.",
        )
