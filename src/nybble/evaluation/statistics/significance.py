"""Tests of two models on the same rows, exact where that can be had, and their correction."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nybble.evaluation.statistics.interval import Floats, check_pair, check_rows
from nybble.runs.errors import InputError

MOST_EXACT = 16
FLIPS = 10_000
CHUNK_FLIPS = 2_000_000
# Sums of the same numbers in another order differ by this much, and are none the less equal.
ROUNDING = 1e-12

Flags = npt.NDArray[np.bool_] | Floats


def discordant(passed_a: Flags, passed_b: Flags) -> tuple[int, int]:
    """How many rows only a passed, and how many only b."""
    a, b = passed_a.astype(np.bool_), passed_b.astype(np.bool_)
    return int(np.sum(a & ~b)), int(np.sum(b & ~a))


def mcnemar(passed_a: Flags, passed_b: Flags) -> float:
    """Exact two-sided p that a and b pass equally often, from the rows [n] where they differ.

    If they do, each such row is a fair coin: twice the binomial tail (McNemar, Psychometrika 12,
    1947). 1 where there is no such row. Raises InputError for unequal lengths.
    """
    check_pair(passed_a, passed_b)
    only_a, only_b = discordant(passed_a, passed_b)
    rows = only_a + only_b
    # Whole numbers of any size: the quotient is rounded once.
    ways = tail = 1
    for k in range(min(only_a, only_b)):
        ways = ways * (rows - k) // (k + 1)
        tail += ways
    return float(min(1.0, 2 * tail / 2**rows))


def permutation(scores_a: Floats, scores_b: Floats, seed: int = 0, flips: int = FLIPS) -> float:
    """Two-sided p that a and b score alike, from the signs of their differences on rows [n].

    If they do, which of the two got which score of a row is a coin's choice: the p is the share of
    all choices with a mean difference at least as far from zero as the one seen (Fisher's
    randomisation test). Exact for up to 16 rows that differ; beyond, `flips` random choices, and
    at least 1 / (flips + 1). Raises InputError for no rows, unequal lengths, or scores that are not
    finite.
    """
    check_pair(scores_a, scores_b)
    differences = scores_a - scores_b
    check_rows(differences, least=1)
    # A row that does not differ has the same part in every choice.
    differences = differences[differences != 0]
    n = len(differences)
    if not n:
        return 1.0
    differences = differences / np.max(np.abs(differences))
    seen = abs(float(differences.sum())) - ROUNDING * n
    if n <= MOST_EXACT:
        flipped = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
        return float(np.mean(np.abs((1 - 2 * flipped) @ differences) >= seen))
    rng = np.random.default_rng(seed)
    at_once = max(1, CHUNK_FLIPS // n)
    beyond = 0
    for start in range(0, flips, at_once):
        signs = rng.integers(2, size=(min(at_once, flips - start), n), dtype=np.int8)
        beyond += int(np.sum(np.abs((1.0 - 2.0 * signs) @ differences) >= seen))
    return (1 + beyond) / (flips + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """The p of each of several comparisons, raised for how many there are, in their order.

    Rejecting those below α errs once or more with probability at most α, however they depend on
    each other (Holm, Scand. J. Statist. 6, 1979). Raises InputError for a p outside 0 to 1.
    """
    for place, p in enumerate(ps):
        if not 0.0 <= p <= 1.0:
            raise InputError(f"The p of comparison {place} is {p}.", "Give numbers from 0 to 1.")
    corrected = [0.0] * len(ps)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = largest
    return corrected
