"""Data sets on the Hub: their plain files into the Hub's cache, and rows out of them.

Only Parquet, JSON and CSV files and the card are downloaded. The card says which files make up
which configuration and split; a data set that needs code of its own to be read is refused.
"""

from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError
from nybble.runs.secrets import masked
from nybble.sources.arrow_rows import ArrowRows
from nybble.sources.snapshot import snapshot

_FILES = ("*.parquet", "*.jsonl", "*.json", "*.csv", "README.md")


def locate_dataset(name: str, revision: str) -> Path:
    """The folder of the data set `name` at `revision`, downloaded where it is not there yet."""
    return snapshot(name, revision, "dataset", _FILES)


def fetch_dataset(
    name: str,
    revision: str,
    config: str | None = None,
    split: str | None = None,
    limit: int | None = None,
) -> ArrowRows:
    """The rows, or the first `limit`, of one split ("train" when None) of one configuration.

    Raises `InputError` when data set, revision, configuration or split do not exist, when it holds
    none of the known files, and when they cannot be read.
    """
    folder = locate_dataset(name, revision)
    import datasets

    split = split or "train"
    try:
        dataset = datasets.load_dataset(str(folder), name=config, split=split)
    except (ValueError, FileNotFoundError, datasets.exceptions.DatasetsError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, OSError) and cause.errno is not None:
            raise cause from None  # a full disk is no fault of the data set's
        raise _refusal(folder, name, config, split, cause) from None
    rows = dataset_rows(name, dataset, limit)
    if not rows:
        raise InputError(f"The dataset {name} holds no rows in {split}.", "Choose another split.")
    return rows


def dataset_rows(name: str, dataset: Any, limit: int | None) -> ArrowRows:
    """The rows, or the first `limit`, of a `datasets.Dataset`, which is a memory map on the disk.

    Columns are taken as they are stored: no picture is decoded.
    """
    tables = dataset.with_format("arrow")
    length = len(dataset) if limit is None else min(limit, len(dataset))
    return ArrowRows(name, length, lambda start, stop: tables[start:stop])


def _refusal(
    folder: Path, name: str, config: str | None, split: str, error: BaseException
) -> InputError:
    """Why `datasets` could not load the folder: no data, no such configuration or split, broken."""
    import datasets

    try:
        configs = datasets.get_dataset_config_names(str(folder))
    except (OSError, ValueError):
        return InputError(
            f"The dataset {name} holds no Parquet, JSON or CSV files.",
            "Code of a dataset is never run: save its rows to such a file and name that.",
        )
    if (config is None and len(configs) > 1 and "default" not in configs) or (
        config is not None and config not in configs
    ):
        wrong = f"has no configuration {config}" if config else "has several configurations"
        return InputError(
            f"The dataset {name} {wrong}.",
            f"Name one of {_some(configs)}, for example {name}:{configs[0]}.",
        )
    reason = masked(" ".join(str(error).split())).rstrip(".")
    chosen = f"{name}:{config}" if config else name
    return InputError(
        f"The split {split} of the dataset {chosen} cannot be loaded: {reason}.",
        f"Name a split after a #, for example {chosen}#test, or another revision.",
    )


def _some(names: list[str]) -> str:
    """The names in a row, the first eight when there are more."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
