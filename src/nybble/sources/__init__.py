"""From a reference in a recipe to files and rows on the disk: bundled, local, or from the Hub."""

from nybble.sources.datasets_hub import fetch_dataset
from nybble.sources.fetch import fetch, load_rows
from nybble.sources.models import (
    check_adapter,
    check_model,
    find_adapter,
    find_model,
    locate_adapter,
    locate_model,
)
from nybble.sources.reference import Reference, absolute, parse_reference
from nybble.sources.rows import read_rows

__all__ = [
    "Reference",
    "absolute",
    "check_adapter",
    "check_model",
    "fetch",
    "fetch_dataset",
    "find_adapter",
    "find_model",
    "load_rows",
    "locate_adapter",
    "locate_model",
    "parse_reference",
    "read_rows",
]
