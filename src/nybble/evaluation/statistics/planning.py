"""How many rows are enough: those that would settle a difference, and the estimate as they came."""

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from nybble.evaluation.statistics.bootstrap import mean_interval
from nybble.evaluation.statistics.interval import (
    LEVEL,
    Floats,
    Interval,
    check_level,
    check_rows,
)
from nybble.runs.errors import InputError

MOST_ROWS = 1_000_000_000
# Renard's series: ten numbers of two digits for each power of ten, evenly spaced on a log axis.
RENARD = (10, 12, 16, 20, 25, 32, 40, 50, 63, 80)


def rows_to_settle(differences: Floats, power: float = 0.8, level: float = LEVEL) -> int | None:
    """How many rows in all would show the sign of the mean of `differences` [n], probably.

    If mean and spread are what they seem, so many rows give an interval that excludes zero with
    probability `power`: ((z(level) + z(power)) * sd / mean)². The difference that was seen is
    itself uncertain, so this is an order of magnitude to plan with. None where no difference was
    seen, or one so small that more than a billion rows would be needed. For a ratio of sums, give
    the `linearised` differences. Raises InputError for n < 2, numbers that are not finite, or a
    power that is not between a half and 1.
    """
    check_rows(differences)
    check_level(level)
    if not 0.5 <= power < 1.0:
        raise InputError(f"The power is {power}.", "Choose a share such as 0.8.")
    largest = float(np.max(np.abs(differences)))
    if not largest:
        return None
    scaled = differences / largest
    mean, sd = abs(float(np.mean(scaled))), float(np.std(scaled, ddof=1))
    normal = NormalDist()
    z = normal.inv_cdf(0.5 + level / 2.0) + normal.inv_cdf(power)
    if z * sd > mean * math.sqrt(MOST_ROWS):
        return None
    # By their signs alone, fewer rows show nothing, however alike they are.
    by_sign = math.floor(math.log2(2.0 / (1.0 - level))) + 1
    return max(by_sign, math.ceil((z * sd / mean) ** 2))


def running_estimate(
    scores: Floats, interval: Callable[[Floats], Interval] = mean_interval
) -> list[tuple[int, float, float, float]]:
    """n, value, low and high of the first n of `scores` [rows], for a growing n up to all rows.

    n goes 10, 12, 16, 20, 25, 32, 40, 50, 63, 80, 100 ... `interval` is the one that the metric
    has, such as `share_interval`; it is given the first rows of `scores`, whatever their shape. The
    whole takes about five times as long as its last call. Each band speaks for its own n: whoever
    stops at the first that excludes something is wrong more often than its level says. Raises
    InputError as `interval` does.
    """
    last = len(scores)
    found = []
    for n in [*(n for n in _readable(last) if n < last), last]:
        at = interval(scores[:n])
        found.append((n, at.value, at.low, at.high))
    return found


def _readable(most: int) -> list[int]:
    return [n * 10**power for power in range(len(str(most)) - 1) for n in RENARD]
