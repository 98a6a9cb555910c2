"""The few sizes that packs are padded to, chosen for the rows of a training.

Each size is a graph to capture, which takes time and memory, so there are four. Fixed shares of a
capacity waste a fifth where steps are much smaller than it; sizes that were fitted to some steps
of the training itself waste a few percent, whatever the capacity.
"""

from collections.abc import Sequence
from dataclasses import replace

from nybble.data.packing import Layout, group_rows

# Every size is a multiple of this many tokens.
GRAIN = 256
# A pack more is worth saving so many tokens: what a replay takes beyond its tokens.
PACK_COST = 64
SHARES = ((1.0, 0.75, 0.5, 0.25), (1.0, 0.5, 0.25, 0.125), (1.0, 0.9, 0.8, 0.7))


def halved_sizes(capacity: int) -> tuple[int, ...]:
    """At most four sizes where no row is known yet: the capacity, and its halves, as multiples."""
    return tuple(sorted({_up(round(capacity * share)) for share in SHARES[1]}))


def fit_sizes(layout: Layout, steps: Sequence[Sequence[int]], longest: int) -> Layout:
    """`layout` with at most four sizes that waste little on `steps`, the row lengths of each.

    The largest holds a row of `longest` tokens, so no pack is larger than the capacity. A descent
    from several starts, one size at a time by ever smaller hops; the same for the same steps.
    """
    if not layout.sizes:
        return layout
    least = _up(longest)
    most = max(least, layout.capacity // GRAIN * GRAIN)
    top = min(most, max(least, *(_up(sum(step) // layout.processes) for step in steps)))
    best = min((_cost(layout, sizes, steps), sizes) for sizes in _starts(top, least))
    hop = _up(top // 8)
    while hop:
        found = min(
            ((_cost(layout, near, steps), near) for near in _neighbours(best[1], hop, least, most)),
            default=best,
        )
        if found < best:
            best = found
        else:
            hop = hop // 2 // GRAIN * GRAIN
    return replace(layout, sizes=best[1])


def _starts(top: int, least: int) -> set[tuple[int, ...]]:
    """Shares of `top`, of its half, and so on down to `least`."""
    found = set()
    while top >= least:
        found |= {tuple(sorted({_up(round(top * share)) for share in shares})) for shares in SHARES}
        top = top // 2 // GRAIN * GRAIN
    return found


def _neighbours(sizes: tuple[int, ...], hop: int, least: int, most: int) -> set[tuple[int, ...]]:
    """Those with one size a hop larger or smaller."""
    moved = (
        tuple(sorted({*sizes[:i], sizes[i] + by, *sizes[i + 1 :]}))
        for i in range(len(sizes))
        for by in (-hop, hop)
    )
    return {new for new in moved if new[0] >= GRAIN and least <= new[-1] <= most}


def _cost(layout: Layout, sizes: tuple[int, ...], steps: Sequence[Sequence[int]]) -> int:
    groups = [group for step in steps for group in group_rows(step, replace(layout, sizes=sizes))]
    return sum(group.size for group in groups) + PACK_COST * len(groups)


def _up(tokens: int) -> int:
    return max(1, -(-tokens // GRAIN)) * GRAIN
