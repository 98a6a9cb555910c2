"""A pack as tensors on the device; for captured graphs, filled up to fixed sizes."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nybble.data.batches import Pack
from nybble.engine.attention import Rows

Words = NDArray[np.int32]


@dataclass(frozen=True)
class Sizes:
    """Lengths of a pack's tensors: tokens, rows, scored positions, and a bound on a row's tokens.

    Two packs with the same are replayed from the same graph. `aligned`: row i begins at i times
    `longest`, and what it does not fill is spare.
    """

    tokens: int
    rows: int
    scored: int
    longest: int
    aligned: bool = False


def exact_sizes(pack: Pack) -> Sizes:
    """As long as the pack is."""
    return Sizes(len(pack.input_ids), len(pack.row_starts) - 1, len(pack.scored_at), pack.longest)


# Rows from this length on are worth aligning: for short ones attention costs next to nothing.
ALIGN_FROM = 512
ALIGN_TO = 64
# Bounds on a row's tokens: a loose one costs no more than blocks that end at once.
LONGEST = tuple(128 * 4**n for n in range(10))


def fixed_sizes(pack: Pack, align: bool = True) -> Sizes:
    """The pack's own size, and for the rest one of few steps, so that few graphs are needed.

    With `align`, aligned where that takes no more tokens.
    """
    count, longest = len(pack.row_starts) - 1, -(-pack.longest // ALIGN_TO) * ALIGN_TO
    quarter = max(1, pack.size // 4)
    least = 1 << max(0, len(pack.scored_at) - 1).bit_length()
    scored = min(least, -(-len(pack.scored_at) // quarter) * quarter)
    if align and longest >= ALIGN_FROM and count * longest <= pack.size:
        return Sizes(count * longest, count, scored, longest, aligned=True)
    longest = min(pack.size, next(n for n in LONGEST if pack.longest <= n))
    spare = -(-(pack.size - len(pack.input_ids)) // longest)
    rows = max(8, 1 << (count - 1 + spare).bit_length())
    return Sizes(pack.size, rows, scored, longest)


@dataclass(frozen=True)
class Inputs:
    """Views of one buffer of 32-bit words, which a single copy fills.

    `input_ids`, `positions`, `keys`, `slots` [tokens]; `row_starts` [rows + 1]; `scored_at`,
    `targets` [scored]. `embedded` [tokens, hidden] where the host looks the tokens up.
    """

    sizes: Sizes
    words: Tensor
    input_ids: Tensor
    positions: Tensor
    keys: Tensor
    slots: Tensor
    row_starts: Tensor
    scored_at: Tensor
    targets: Tensor
    embedded: Tensor | None = None

    @property
    def rows(self) -> Rows:
        sizes = self.sizes
        return Rows(self.row_starts, self.slots, sizes.rows, sizes.longest, sizes.aligned)


def make_inputs(sizes: Sizes, device: torch.device, table: Tensor | None = None) -> Inputs:
    """Inputs of those sizes, not yet filled; tokens of `table` [vocabulary, hidden] embedded."""
    t, s = sizes.tokens, sizes.scored
    lengths = [t, t, t, t, sizes.rows + 1, s, s]
    # Each part begins at a multiple of 16 bytes, which vectorised loads need.
    aligned = [-(-n // 4) * 4 for n in lengths]
    words = torch.zeros(sum(aligned), dtype=torch.int32, device=device)
    starts = np.concatenate([[0], np.cumsum(aligned)[:-1]])
    views = [words[a : a + n] for a, n in zip(starts, lengths, strict=True)]
    made = Inputs(sizes, words, *views)
    if table is None:
        return made
    embedded = torch.zeros(t, table.shape[1], dtype=table.dtype, device=device)
    return replace(made, embedded=embedded)


def fill_inputs(inputs: Inputs, pack: Pack, keys: Words, table: Tensor | None = None) -> None:
    """Copy `pack` over, filled up: rows of their own that nothing reads, places not scored.

    `table` [vocabulary, hidden] embeds tokens where the inputs have them embedded.
    """
    sizes = inputs.sizes
    staged = make_inputs(sizes, torch.device("cpu"))
    parts = {name: getattr(staged, name).numpy() for name in _NAMES}
    places = _places(pack, sizes)
    parts["input_ids"][places] = pack.input_ids
    parts["positions"][places] = pack.positions
    parts["keys"][places] = keys
    starts = filled_starts(pack, sizes)
    parts["row_starts"][:] = starts
    row = np.repeat(np.arange(sizes.rows), np.diff(starts))
    parts["slots"][:] = row * sizes.longest + np.arange(sizes.tokens) - starts[row]
    parts["scored_at"][: len(pack.scored_at)] = places[pack.scored_at]
    parts["targets"][:] = -1
    parts["targets"][: len(pack.targets)] = pack.targets
    _copy_over(staged.words, inputs.words)
    if inputs.embedded is not None and table is not None:
        _copy_over(table.index_select(0, staged.input_ids), inputs.embedded)


def _copy_over(source: Tensor, target: Tensor) -> None:
    """From the host; nothing waits for it."""
    target.copy_(source.pin_memory() if target.is_cuda else source, non_blocking=True)


def _places(pack: Pack, sizes: Sizes) -> NDArray[np.int64]:
    """Where each token of the pack goes."""
    if not sizes.aligned:
        return np.arange(len(pack.input_ids))
    row = np.repeat(np.arange(sizes.rows), np.diff(pack.row_starts))
    return row * sizes.longest + pack.positions


_NAMES = ("input_ids", "positions", "keys", "slots", "row_starts", "scored_at", "targets")


def filled_starts(pack: Pack, sizes: Sizes) -> NDArray[np.int64]:
    """Row starts [rows + 1]: the pack's, then rows of at most `longest` tokens, then empty ones."""
    if sizes.aligned:
        return np.arange(sizes.rows + 1) * sizes.longest
    starts = np.full(sizes.rows + 1, sizes.tokens, dtype=np.int64)
    real = len(pack.row_starts)
    starts[:real] = pack.row_starts
    spare = np.arange(pack.row_starts[-1] + sizes.longest, sizes.tokens, sizes.longest)
    starts[real : real + len(spare)] = spare
    return starts
