"""The optimiser step as a value: its rows, in micro-batches of bounded size.

rows of the step, longest first        micro-batch: padded on the right
[ids ids ids ids ids]                  ids ids ids ids ids
[ids ids ids ids]                      ids ids ids ids pad
[ids ids]                              next micro-batch ...
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nybble.data.render import TokenRow

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class MicroBatch:
    """Rows that are computed at once.

    `input_ids`, `attention_mask` [rows, tokens]; `row_numbers` [rows]: each row's place in the
    training set, for dropout draws that do not depend on the batching. For each scored token,
    `scored_rows`, `scored_positions`, `targets` [scored]: the position whose logits predict it.
    """

    input_ids: Ids
    attention_mask: Ids
    row_numbers: Ids
    scored_rows: Ids
    scored_positions: Ids
    targets: Ids


@dataclass(frozen=True)
class StepBatch:
    """Everything of one optimiser step, and its number of scored tokens."""

    micro_batches: list[MicroBatch]
    scored_tokens: int
    tokens: int


def scored_count(row: TokenRow) -> int:
    """Scored tokens that something precedes: the first token of a row cannot be predicted."""
    return sum(row.scored[1:])


def make_step(
    rows: Sequence[TokenRow], numbers: Sequence[int], micro_batch_tokens: int, pad_id: int
) -> StepBatch:
    """Group `rows` by length into micro-batches of at most `micro_batch_tokens` padded tokens.

    A row longer than that has a micro-batch to itself.
    """
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].input_ids))
    groups: list[list[int]] = []
    for i in order:
        width = len(rows[groups[-1][0]].input_ids) if groups else 0
        if groups and width * (len(groups[-1]) + 1) <= micro_batch_tokens:
            groups[-1].append(i)
        else:
            groups.append([i])
    return StepBatch(
        [_pad([rows[i] for i in g], [numbers[i] for i in g], pad_id) for g in groups],
        sum(scored_count(row) for row in rows),
        sum(len(row.input_ids) for row in rows),
    )


def _pad(rows: Sequence[TokenRow], numbers: Sequence[int], pad_id: int) -> MicroBatch:
    width = max(len(row.input_ids) for row in rows)
    ids = np.full((len(rows), width), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    scored = np.zeros(ids.shape, dtype=bool)
    for i, row in enumerate(rows):
        length = len(row.input_ids)
        ids[i, :length] = row.input_ids
        mask[i, :length] = 1
        scored[i, :length] = row.scored
    scored_rows, columns = np.nonzero(scored[:, 1:])
    return MicroBatch(
        input_ids=ids,
        attention_mask=mask,
        row_numbers=np.asarray(numbers, dtype=np.int64),
        scored_rows=scored_rows,
        scored_positions=columns,
        targets=ids[scored_rows, columns + 1],
    )


@dataclass(frozen=True)
class StepLoader:
    """Training rows as optimiser steps, in an order that is a function of the seed and the epoch.

    Nothing is remembered between steps, so step `n` is the same after a resume.
    """

    rows: Sequence[TokenRow]
    batch_size: int
    seed: int
    micro_batch_tokens: int
    pad_id: int

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def steps(self, start: int, stop: int) -> Iterator[StepBatch]:
        """Steps `start` to `stop`, counted from 0; the last of an epoch may hold fewer rows."""
        order: list[int] = []
        shuffled = -1
        for step in range(start, stop):
            epoch, place = divmod(step, self.steps_per_epoch)
            if epoch != shuffled:
                order = list(range(len(self.rows)))
                random.Random(f"epoch {epoch} of {self.seed}").shuffle(order)
                shuffled = epoch
            chosen = order[place * self.batch_size : (place + 1) * self.batch_size]
            rows = [self.rows[i] for i in chosen]
            yield make_step(rows, chosen, self.micro_batch_tokens, self.pad_id)
