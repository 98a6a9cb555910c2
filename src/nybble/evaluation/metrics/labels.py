"""Metrics of labels: how often the right one is said, and which are taken for which."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nybble.runs.errors import InputError


@dataclass(frozen=True)
class Confusion:
    """`counts` [labels, labels + 1]: rows by their true label and by the label that was said.

    The last column counts rows where none could be read.
    """

    labels: list[str]
    counts: npt.NDArray[np.int64]

    def as_json(self) -> dict[str, list[str] | list[list[int]]]:
        """`labels` and `counts`."""
        return {"labels": self.labels, "counts": self.counts.tolist()}


def accuracy(truth: Sequence[str], said: Sequence[str | None]) -> float:
    """The share of rows whose label was said; where none could be read (None), it was not.

    Raises InputError for no rows or unequal lengths.
    """
    _check_pair(truth, said)
    return sum(true == one for true, one in zip(truth, said, strict=True)) / len(truth)


def confusion(truth: Sequence[str], said: Sequence[str | None]) -> Confusion:
    """Which labels were taken for which, of all that are true or said somewhere, sorted.

    Raises InputError for no rows or unequal lengths.
    """
    _check_pair(truth, said)
    labels = sorted({*truth, *(one for one in said if one is not None)})
    place: dict[str | None, int] = {label: i for i, label in enumerate([*labels, None])}
    counts = np.zeros((len(labels), len(labels) + 1), np.int64)
    for true, one in zip(truth, said, strict=True):
        counts[place[true], place[one]] += 1
    return Confusion(labels, counts)


def macro_f1(found: Confusion) -> float:
    """The mean over labels of F1 = 2 hits / (rows that have the label + rows that were given it).

    Every label counts alike, however rare. A row that could not be read is a miss of its own label
    and a false alarm of none.
    """
    hits = np.diagonal(found.counts)
    given = found.counts[:, :-1].sum(axis=0)
    f1 = 2.0 * hits / (found.counts.sum(axis=1) + given)
    return float(np.mean(f1))


def _check_pair(truth: Sequence[str], said: Sequence[str | None]) -> None:
    if not truth or len(truth) != len(said):
        raise InputError(
            f"Cannot compare {len(said)} answers with {len(truth)} true labels.",
            "Give one answer for each of one or more test rows.",
        )
