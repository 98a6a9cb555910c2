"""A step whose loss is NaN or infinite: which rows it was made of, and what to do."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from nybble.data.batches import StepBatch
from nybble.data.render import TokenRow
from nybble.recipe.train_part import TrainPart
from nybble.runs.errors import NybbleError
from nybble.runs.folder import RunFolder

NOT_FINITE = "not_finite.json"
Decode = Callable[[Sequence[int]], str]


def write_rows(
    folder: RunFolder, step: int, batch: StepBatch, rows: Sequence[TokenRow], decode: Decode | None
) -> None:
    """Write the numbers, and where they can be decoded the texts, of the rows of `batch`."""
    places = np.unique(np.concatenate([pack.row_numbers for pack in batch.packs])).tolist()
    listed = [
        {"row": rows[i].number, "text": decode(rows[i].input_ids) if decode else None}
        for i in places
    ]
    folder.write(NOT_FINITE, {"step": step, "rows": listed})


def not_finite_error(
    step: int, loss: float, norm: float, part: TrainPart, warming_up: bool, fp16: bool
) -> NybbleError:
    """The two lines, with the likeliest cause first; `norm` is the gradient's."""
    if fp16:
        advice = "Say model.dtype=bfloat16 or float32: float16 holds nothing above 65,504"
    elif warming_up:
        advice = f"Lengthen train.warmup_steps (now {part.warmup_steps:g})"
    else:
        advice = f"Lower train.learning_rate (now {part.learning_rate:g})"
    name, value = ("gradient", norm) if math.isfinite(loss) else ("loss", loss)
    what = "NaN" if math.isnan(value) else "infinite"
    before = f"; checkpoint-{step - 1} holds the adapters from before" if step > 1 else ""
    return NybbleError(
        f"The {name} of step {step} is not finite ({what}); its rows are in {NOT_FINITE}.",
        f"{advice}{before}.",
    )
