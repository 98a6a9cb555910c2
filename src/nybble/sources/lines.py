"""Lines of a text file, with the place of each in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nybble.runs.errors import InputError

BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line with its end, its number from 1, and the bytes of the file that it takes."""

    text: str
    number: int
    start: int
    end: int


def lines(path: Path) -> Iterator[Line]:
    """The lines of a UTF-8 file; a byte-order mark is left out."""
    with path.open("rb") as file:
        start = 0
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(BOM) if number == 1 else line
            start += len(line) - len(content)
            try:
                yield Line(content.decode("utf-8"), number, start, start + len(content))
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path}: line {number}: not UTF-8 at byte {error.start + 1} of the line.",
                    "Save the file as UTF-8.",
                ) from None
            start += len(content)
