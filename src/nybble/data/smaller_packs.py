"""A pack that has become too large for the memory, as several that hold its rows."""

from dataclasses import replace

import numpy as np

from nybble.data.batches import Pack, joined
from nybble.data.packing import Group, Layout, group_rows


def split_pack(pack: Pack, layout: Layout) -> list[Pack]:
    """The rows of `pack` in packs as `layout` says, of the same process."""
    lengths = np.diff(pack.row_starts).tolist()
    groups = group_rows(lengths, replace(layout, processes=1))
    return [_part(pack, group) for group in groups]


def _part(pack: Pack, group: Group) -> Pack:
    """Some rows of `pack`, in another order."""
    starts = pack.row_starts
    places = [np.arange(starts[i], starts[i + 1]) for i in group.rows]
    found = [np.flatnonzero((pack.scored_at >= starts[i]) & (pack.scored_at < starts[i + 1]))
             for i in group.rows]  # fmt: skip
    begins = np.concatenate([[0], np.cumsum([len(place) for place in places])]).astype(np.int64)
    shifts = begins[:-1] - starts[group.rows]
    at = [pack.scored_at[f] + shift for f, shift in zip(found, shifts, strict=True)]
    taken, scored = np.concatenate(places), np.concatenate(found)
    return Pack(
        input_ids=pack.input_ids[taken],
        positions=pack.positions[taken],
        row_numbers=pack.row_numbers[taken],
        row_starts=begins,
        scored_at=joined(at),
        targets=pack.targets[scored],
        size=group.size,
        process=pack.process,
    )
