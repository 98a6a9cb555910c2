"""Rows of a folder that the `datasets` library wrote with `save_to_disk`."""

from pathlib import Path

from nybble.runs.errors import InputError
from nybble.sources.arrow_rows import ArrowRows
from nybble.sources.datasets_hub import dataset_rows

_ONE, _SPLITS = "dataset_info.json", "dataset_dict.json"


def is_arrow_folder(folder: Path) -> bool:
    """Whether `folder` is that of one data set, or of several splits of one."""
    return (folder / _ONE).is_file() or (folder / _SPLITS).is_file()


def arrow_folder_rows(folder: Path, split: str | None, limit: int | None) -> ArrowRows:
    """The rows, or the first `limit`, of the data set in `folder`, memory-mapped.

    `split` is that of a folder of splits, "train" when None. Raises `InputError` when there is no
    such split, and when the folder is not whole.
    """
    part = folder
    if (folder / _SPLITS).is_file():
        part = folder / (split or "train")
        if not (part / _ONE).is_file():
            found = sorted(path.parent.name for path in folder.glob(f"*/{_ONE}"))
            raise InputError(
                f"{folder} has no split {part.name}.",
                f"It has {', '.join(found)}: name one as {folder}#{found[0]}."
                if found
                else "Save it again.",
            )
    elif split is not None:
        raise InputError(f"{folder} has no splits.", f"Name it as {folder}, without #{split}.")
    import datasets
    import pyarrow

    try:
        dataset = datasets.load_from_disk(str(part))
    except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise InputError(
            f"{part} is not a whole data set: {reason}.", "Save or copy it again."
        ) from None
    rows = dataset_rows(str(part), dataset, limit)
    if not rows:
        raise InputError(f"{part} holds no rows.", "Name a data set with at least one row.")
    return rows
