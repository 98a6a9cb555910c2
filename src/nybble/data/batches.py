"""The optimiser step as a value: its rows in packs, and how many of their tokens are scored.

A pack holds rows one after another, without padding between them:

    input_ids   a a a a a b b b c c c c ...
    positions   0 1 2 3 4 0 1 2 0 1 2 3 ...

What comes after a row's last scored prediction predicts nothing, and is left out: at least its
last token.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nybble.data.order import by_rows, by_tokens, shuffled
from nybble.data.packing import Group, Layout, group_rows
from nybble.data.render import TokenRow
from nybble.data.sizes import fit_sizes
from nybble.data.store import TokenStore

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Pack:
    """Rows that are computed at once.

    `input_ids`, `positions` and `row_numbers` [tokens]: each token's id, place in its row, and its
    row's place in the training set, for dropout draws that do not depend on the packing.
    `row_starts` [rows + 1]. `scored_at` [scored]: the places whose logits predict `targets`.
    `size`: the tokens that it is computed as, with what is padded; `process`: by which one.
    """

    input_ids: Ids
    positions: Ids
    row_numbers: Ids
    row_starts: Ids
    scored_at: Ids
    targets: Ids
    size: int
    process: int = 0

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return int(np.diff(self.row_starts).max())


@dataclass(frozen=True)
class MicroBatch:
    """The rows of a pack, padded on the right, for models that want [rows, tokens].

    `input_ids`, `attention_mask`, `row_numbers`, `positions` [rows, tokens]. For each scored token,
    `scored_rows`, `scored_positions`, `targets` [scored]: the position whose logits predict it.
    """

    input_ids: Ids
    attention_mask: Ids
    row_numbers: Ids
    positions: Ids
    scored_rows: Ids
    scored_positions: Ids
    targets: Ids


@dataclass(frozen=True)
class StepBatch:
    """Everything of one optimiser step; `tokens` counts whole rows, `scored_tokens` their share."""

    packs: list[Pack]
    scored_tokens: int
    tokens: int

    @property
    def computed_tokens(self) -> int:
        """Tokens that packs are computed as; an engine may find a way to compute fewer."""
        return sum(pack.size for pack in self.packs)

    @property
    def padded_tokens(self) -> int:
        """Those of them that are padding."""
        return self.computed_tokens - sum(len(pack.input_ids) for pack in self.packs)


def scored_count(row: TokenRow) -> int:
    """Scored tokens that something precedes: the first token of a row cannot be predicted."""
    return int(sum(row.scored[1:]))


def make_step(rows: Sequence[TokenRow], numbers: Sequence[int], layout: Layout) -> StepBatch:
    """`rows` and their `numbers` in the training set, in packs as `layout` says."""
    used = [_used_tokens(row) for row in rows]
    packs = [
        _pack([rows[i] for i in group.rows], [numbers[i] for i in group.rows], group)
        for group in group_rows(used, layout)
    ]
    return StepBatch(
        packs, sum(scored_count(row) for row in rows), sum(len(row.input_ids) for row in rows)
    )


def _used_tokens(row: TokenRow) -> int:
    """Tokens up to the last that predicts a scored one; 0 when none does."""
    scored = np.flatnonzero(np.asarray(row.scored[1:]))
    return int(scored[-1]) + 1 if scored.size else 0


def _pack(rows: Sequence[TokenRow], numbers: Sequence[int], group: Group) -> Pack:
    used = [_used_tokens(row) for row in rows]
    starts = np.concatenate([[0], np.cumsum(used)])
    scored_at, targets = [], []
    for row, start in zip(rows, starts, strict=False):
        places = np.flatnonzero(np.asarray(row.scored[1:]))
        scored_at.append(places + start)
        targets.append(np.asarray(row.input_ids, dtype=np.int64)[places + 1])
    return Pack(
        input_ids=joined([np.asarray(r.input_ids[:n]) for r, n in zip(rows, used, strict=True)]),
        positions=joined([np.arange(n) for n in used]),
        row_numbers=np.repeat(np.asarray(numbers, dtype=np.int64), used),
        row_starts=starts.astype(np.int64),
        scored_at=joined(scored_at),
        targets=joined(targets),
        size=group.size,
        process=group.process,
    )


def joined(parts: list[NDArray[np.int64]]) -> Ids:
    """One after another, [total]."""
    return np.concatenate(parts).astype(np.int64)


def padded(pack: Pack) -> MicroBatch:
    """The rows of `pack` side by side; the id 0 fills up, masked and never scored."""
    starts, rows = pack.row_starts, len(pack.row_starts) - 1
    row = np.repeat(np.arange(rows), np.diff(starts))
    shape = (rows, pack.longest)

    def spread(values: Ids) -> Ids:
        table = np.zeros(shape, dtype=np.int64)
        table[row, pack.positions] = values
        return table

    return MicroBatch(
        input_ids=spread(pack.input_ids),
        attention_mask=spread(np.ones_like(pack.input_ids)),
        row_numbers=np.broadcast_to(pack.row_numbers[starts[:-1], None], shape),
        positions=np.broadcast_to(np.arange(shape[1]), shape),
        scored_rows=row[pack.scored_at],
        scored_positions=pack.positions[pack.scored_at],
        targets=pack.targets,
    )


@dataclass(frozen=True)
class StepLoader:
    """Training rows as optimiser steps, in an order that is a function of the seed and the epoch.

    A step has `batch_size` rows, or, where `batch_tokens` is given, as many as fill these. Nothing
    that matters is remembered between steps, so step `n` is the same after a resume.
    """

    rows: Sequence[TokenRow]
    batch_size: int
    seed: int
    layout: Layout
    batch_tokens: int | None = None
    _counts: dict[int, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def row_numbers(self, epoch: int) -> list[list[int]]:
        """The rows of each step of an epoch: every row once."""
        order = shuffled(len(self.rows), self.seed, epoch)
        if self.batch_tokens is None:
            return by_rows(order, self.batch_size)
        return by_tokens(order, row_lengths(self.rows), self.batch_tokens)

    def steps_of_epoch(self, epoch: int) -> int:
        """With `batch_tokens` it differs a little from epoch to epoch."""
        if self.batch_tokens is None:
            return math.ceil(len(self.rows) / self.batch_size)
        if epoch not in self._counts:
            self._counts[epoch] = len(self.row_numbers(epoch))
        return self._counts[epoch]

    def steps_in(self, epochs: float) -> int:
        """Steps of the first `epochs` epochs; a part of an epoch is rounded up to whole steps."""
        whole = math.floor(epochs)
        steps = sum(self.steps_of_epoch(epoch) for epoch in range(whole))
        if epochs > whole:
            # Rounded, since 2.1 - 2 is a little more than 0.1.
            steps += math.ceil(round((epochs - whole) * self.steps_of_epoch(whole), 6))
        return steps

    def steps(self, start: int, stop: int) -> Iterator[StepBatch]:
        """Steps `start` to `stop`, counted from 0; the last of an epoch may hold fewer rows."""
        first = epoch = 0
        while first < stop and self.rows:
            after = first + self.steps_of_epoch(epoch)
            if after > start:
                numbers = self.row_numbers(epoch)
                for chosen in numbers[max(0, start - first) : stop - first]:
                    yield make_step([self.rows[i] for i in chosen], chosen, self.layout)
            first, epoch = after, epoch + 1

    def fitted(self, steps: int = 48) -> "StepLoader":
        """The loader with pack sizes fitted to its first steps, where packs have fixed sizes."""
        if not self.layout.sizes:
            return self
        first = self.row_numbers(0)[:steps]
        used = [[_used_tokens(self.rows[i]) for i in chosen] for chosen in first]
        # A row's last token predicts nothing.
        longest = max(row_lengths(self.rows)) - 1
        return replace(self, layout=fit_sizes(self.layout, used, longest))


def row_lengths(rows: Sequence[TokenRow]) -> list[int]:
    """Tokens of each row; no row is read where a store knows them."""
    if isinstance(rows, TokenStore):
        return [int(length) for length in rows.lengths]
    return [len(row.input_ids) for row in rows]
