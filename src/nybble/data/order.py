"""Which rows make an optimiser step: an epoch's shuffled rows, cut by their number or by tokens."""

import random
from bisect import bisect_right, insort
from collections.abc import Sequence

# Rows that a step of so many tokens is chosen from: those whose turn is next.
WINDOW = 1_024


def shuffled(rows: int, seed: int, epoch: int) -> list[int]:
    """The rows 0 to `rows` - 1 in an order that is a function of the seed and the epoch."""
    order = list(range(rows))
    random.Random(f"epoch {epoch} of {seed}").shuffle(order)
    return order


def by_rows(order: Sequence[int], batch_size: int) -> list[list[int]]:
    """`batch_size` rows a step; the last may have fewer."""
    return [list(order[i : i + batch_size]) for i in range(0, len(order), batch_size)]


def by_tokens(
    order: Sequence[int], lengths: Sequence[int], batch_tokens: int, window: int = WINDOW
) -> list[list[int]]:
    """At most `batch_tokens` a step, of rows as long as `lengths` says; a longer row is alone.

    Rows are taken as they come until one does not fit, which will begin the next step. What room
    is left goes to the longest that fits of the next `window` rows, again and again. So steps are
    full, and yet their rows are mostly drawn at random, and not sorted by length.
    """
    steps: list[list[int]] = []
    waiting: dict[int, None] = {}  # places in the order, as they come
    fitting: list[tuple[int, int]] = []  # their lengths and places, the shortest first
    entered = 0
    while waiting or entered < len(order):
        while len(waiting) < window and entered < len(order):
            waiting[entered] = None
            insort(fitting, (lengths[order[entered]], entered))
            entered += 1
        chosen: list[int] = []
        room = batch_tokens
        for place in waiting:
            if chosen and lengths[order[place]] > room:
                break
            chosen.append(place)
            room -= lengths[order[place]]
        for place in chosen:
            _leave(place, lengths[order[place]], waiting, fitting)
        while fitting and (fits := bisect_right(fitting, (room, len(order)))):
            length, place = fitting[fits - 1]
            _leave(place, length, waiting, fitting)
            chosen.append(place)
            room -= length
        steps.append([order[place] for place in chosen])
    return steps


def _leave(
    place: int, length: int, waiting: dict[int, None], fitting: list[tuple[int, int]]
) -> None:
    del waiting[place]
    del fitting[bisect_right(fitting, (length, place)) - 1]
