"""Which checkpoint to go on from: the newest that is whole."""

from pathlib import Path

from nybble.runs.errors import InputError
from nybble.runs.folder import checkpoints_in
from nybble.training.manifest import damage


def newest_good(checkpoints: Path) -> Path | None:
    """The newest whole checkpoint, with a line for each damaged one; None where there is none.

    Raises `InputError` when there are checkpoints and all are damaged.
    """
    told = ""
    for checkpoint in reversed(checkpoints_in(checkpoints)):
        wrong = damage(checkpoint)
        if wrong is None:
            return checkpoint
        told = told or f"{checkpoint}: {wrong}"
        print(f"damaged    {checkpoint} is left out: {wrong}")
    if told:
        raise InputError(
            f"No checkpoint is whole ({told}).", "Begin anew with `nybble run`, or mend the disk."
        )
    return None
