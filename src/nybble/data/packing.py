"""Which rows of a step are computed together.

Where a step is replayed from captured graphs, packs come in a few fixed sizes, and what is not
filled is wasted: rows are fitted best-fit into the sizes that waste least.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

# Up to so many, packs are a power of two, and then a multiple of it.
EVEN = 8


@dataclass(frozen=True)
class Layout:
    """`capacity`: tokens computed at once; a longer row has a pack to itself.

    `sizes`, ascending: the sizes that packs are padded to; none where each is as long as its rows.
    `padded`: rows are padded to the longest of them, so they are grouped by length.
    `processes`: how many share the work. Where sizes are fixed each packs a part of the rows of its
    own; else the packs are the same for any number of them.
    """

    capacity: int
    sizes: tuple[int, ...] = ()
    padded: bool = False
    processes: int = 1


@dataclass(frozen=True)
class Group:
    """Places of the rows of a pack, the tokens that it is computed as, and by which process."""

    rows: list[int]
    size: int
    process: int = 0


def group_rows(lengths: Sequence[int], layout: Layout) -> list[Group]:
    """Every row with a token, in exactly one group."""
    order = sorted((i for i, n in enumerate(lengths) if n), key=lambda i: -lengths[i])
    if layout.sizes:
        return [
            replace(group, process=process)
            for process, share in enumerate(shares(order, lengths, layout.processes))
            for group in _of_sizes(share, lengths, layout)
        ]
    groups = (
        _by_length(order, lengths, layout) if layout.padded else _evenly(order, lengths, layout)
    )
    return _dealt(groups, layout.processes)


def shares(order: Sequence[int], lengths: Sequence[int], count: int) -> list[list[int]]:
    """`count` shares of the rows: in the given order, each to the one with the fewest tokens."""
    found: list[list[int]] = [[] for _ in range(count)]
    tokens = [0] * count
    for i in order:
        least = tokens.index(min(tokens))
        found[least].append(i)
        tokens[least] += lengths[i]
    return found


def _dealt(groups: list[Group], processes: int) -> list[Group]:
    """`groups`, which do not depend on the processes, shared out among them."""
    order = sorted(range(len(groups)), key=lambda i: -groups[i].size)
    dealt = shares(order, [group.size for group in groups], processes)
    owner = {i: process for process, share in enumerate(dealt) for i in share}
    return [replace(group, process=owner[i]) for i, group in enumerate(groups)]


def _evenly(order: list[int], lengths: Sequence[int], layout: Layout) -> list[Group]:
    """Groups of about as many tokens each, in a number that two, four or eight processes share."""
    count = max(1, -(-sum(lengths[i] for i in order) // layout.capacity))
    while True:
        count = 1 << (count - 1).bit_length() if count <= EVEN else -(-count // EVEN) * EVEN
        found = shares(order, lengths, count)
        sums = [sum(lengths[i] for i in rows) for rows in found]
        if all(len(rows) < 2 or n <= layout.capacity for rows, n in zip(found, sums, strict=True)):
            return [Group(rows, n) for rows, n in zip(found, sums, strict=True) if rows]
        count += 1


def _of_sizes(order: list[int], lengths: Sequence[int], layout: Layout) -> list[Group]:
    filled = _least_waste([lengths[i] for i in order], layout)
    return [Group([order[i] for i in rows], size) for rows, size in filled if rows]


def _by_length(order: list[int], lengths: Sequence[int], layout: Layout) -> list[Group]:
    """Rows in falling length, padded to the longest, cut where the capacity is reached."""
    groups: list[list[int]] = []
    filled = 0
    for i in order:
        width = lengths[groups[-1][0]] if groups else 0
        if groups and filled + width <= layout.capacity:
            groups[-1].append(i)
            filled += width
        else:
            groups.append([i])
            filled = lengths[i]
    return [Group(rows, len(rows) * lengths[rows[0]]) for rows in groups]


def _least_waste(lengths: list[int], layout: Layout) -> list[tuple[list[int], int]]:
    """Bins of fixed sizes that hold the falling `lengths`, of the least total that was found."""
    allowed = [s for s in layout.sizes if s <= layout.capacity] or [layout.sizes[0]]
    alone = [i for i, n in enumerate(lengths) if n > allowed[-1]]
    rest = list(range(len(alone), len(lengths)))
    bins = [([i], size_of(lengths[i], layout.sizes)) for i in alone]
    total = sum(lengths[i] for i in rest)
    for sizes in _candidates(total, allowed):
        fitted = _best_fit(rest, lengths, sizes)
        if fitted is not None:
            return bins + list(zip(fitted, sizes, strict=True))
    open_ended = _best_fit(rest, lengths, [allowed[-1]] * len(rest))
    assert open_ended is not None, "a bin for each row holds every row"
    used = [rows for rows in open_ended if rows]
    return bins + [(rows, size_of(sum(lengths[i] for i in rows), allowed)) for rows in used]


def size_of(tokens: int, sizes: Sequence[int]) -> int:
    """The smallest of `sizes` that holds `tokens`; beyond the largest, a multiple of it."""
    for size in sizes:
        if tokens <= size:
            return size
    return -(-tokens // sizes[-1]) * sizes[-1]


def _candidates(total: int, sizes: Sequence[int]) -> list[list[int]]:
    """Lists of bins that could hold `total`, the least first: largest bins, and up to two more."""
    largest = sizes[-1]
    found = []
    for full in range(total // largest + 2):
        for more in range(3):
            for tail in itertools.combinations_with_replacement(sizes[:-1], more):
                room = full * largest + sum(tail)
                if total <= room <= 1.25 * total + sizes[0]:
                    found.append([*[largest] * full, *tail])
    return sorted(found, key=lambda bins: (sum(bins), len(bins)))[:64]


def _best_fit(
    rows: Sequence[int], lengths: Sequence[int], sizes: Sequence[int]
) -> list[list[int]] | None:
    """Each row into the fullest bin that still has room for it (best-fit decreasing), or None."""
    room = list(sizes)
    bins: list[list[int]] = [[] for _ in sizes]
    for i in rows:
        open_bins = [b for b, left in enumerate(room) if left >= lengths[i]]
        if not open_bins:
            return None
        best = min(open_bins, key=room.__getitem__)
        room[best] -= lengths[i]
        bins[best].append(i)
    return bins
