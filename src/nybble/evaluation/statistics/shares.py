"""Intervals of shares: of rows passed, and of the difference that two models' passes make.

No resampling can tell what 0 failures of n leave open: all resamples are the same. Counting can.
"""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from nybble.evaluation.statistics.interval import (
    LEVEL,
    Interval,
    check_level,
    check_pair,
    check_rows,
    unseen_share,
)
from nybble.evaluation.statistics.significance import discordant, mcnemar
from nybble.runs.errors import InputError

Passed = npt.NDArray[np.bool_] | npt.NDArray[np.float64]


def share_interval(passed: Passed, level: float = LEVEL) -> Interval:
    """The share of rows [n] that passed (true, or 1), with Clopper and Pearson's exact interval.

    It covers any true share at least as often as `level` says, for any n, and so is a little wide:
    10 of 10 gives 0.69 to 1. (Biometrika 26, 1934.) Raises InputError for no rows, and for a row
    that is neither 0 nor 1.
    """
    check_level(level)
    passed = as_passed(passed)
    n, k = len(passed), int(passed.sum())
    if k in (0, n):
        unseen = unseen_share(n, level)
        return Interval(k / n, 0.0 if k == 0 else 1.0 - unseen, unseen if k == 0 else 1.0)
    from scipy.stats import beta

    tail = (1.0 - level) / 2.0
    low, high = beta.ppf(tail, k, n - k + 1), beta.ppf(1.0 - tail, k + 1, n - k)
    return Interval(k / n, float(low), float(high))


def paired_share_interval(passed_a: Passed, passed_b: Passed, level: float = LEVEL) -> Interval:
    """The share that a passes less the share that b passes, over the same n rows; above 0: a's.

    Only rows that one passes and the other does not make the difference. Bonett and Price's
    adjusted Wald interval (J. Educ. Behav. Stat. 37, 2012), which also has a width where there is
    no such row. It reaches zero where `mcnemar`, being exact, does not reject equality: a sign is
    shown only where both show it. Raises InputError as `share_interval`, and for unequal lengths.
    """
    check_pair(passed_a, passed_b)
    check_level(level)
    passed_a, passed_b = as_passed(passed_a), as_passed(passed_b)
    n, (only_a, only_b) = len(passed_a), discordant(passed_a, passed_b)
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    centre = share_a - share_b
    reach = z * math.sqrt((share_a + share_b - centre**2) / (n + 2))
    low, high = max(centre - reach, -1.0), min(centre + reach, 1.0)
    if mcnemar(passed_a, passed_b) > 1.0 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    value = (only_a - only_b) / n
    return Interval(value, min(low, value), max(high, value))


def as_passed(passed: Passed) -> npt.NDArray[np.bool_]:
    """[n] of true and false, from 1 and 0 too."""
    check_rows(passed.astype(np.float64), least=1)
    wrong = np.flatnonzero((passed != 0) & (passed != 1))
    if len(wrong):
        raise InputError(
            f"Test row {wrong[0]} has {passed[wrong[0]]}, which is neither passed nor failed.",
            "Give 1 for a row that passed and 0 for one that failed.",
        )
    return passed.astype(np.bool_)
