"""Train, validation and test rows, disjoint and drawn by a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from nybble.data.examples import Example
from nybble.runs.errors import InputError


@dataclass(frozen=True)
class Splits:
    """Examples to train on, to choose on, and to judge on."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]


def split_examples(
    examples: Sequence[Example],
    validation: int | Sequence[Example],
    test: int | Sequence[Example],
    seed: int,
) -> Splits:
    """Take `validation` and `test` rows out of `examples`, or use the ones given.

    Raises `InputError` when no row would be left to train on.
    """
    taken = sum(part for part in (validation, test) if isinstance(part, int))
    if taken >= len(examples):
        raise InputError(
            f"data.validation and data.test take {taken:,} rows, but there are only "
            f"{len(examples):,}: none is left to train on.",
            "Give smaller numbers, for example data.validation=20 data.test=50.",
        )
    order = list(range(len(examples)))
    random.Random(f"split {seed}").shuffle(order)

    def take(part: int | Sequence[Example]) -> list[Example]:
        if not isinstance(part, int):
            return list(part)
        chosen = sorted(order[:part])
        del order[:part]
        return [examples[i] for i in chosen]

    # Test first: its rows stay the same when the size of the validation part changes.
    test_rows = take(test)
    validation_rows = take(validation)
    return Splits([examples[i] for i in sorted(order)], validation_rows, test_rows)
