import numpy as np
import pytest

from nybble.evaluation.seeds import recipe_interval, seed_spread
from nybble.evaluation.statistics import Interval
from nybble.runs.errors import InputError


def test_the_spread_over_seeds() -> None:
    assert seed_spread([14.0, 15.0, 17.5]) == {
        "n": 3, "mean": pytest.approx(15.5), "sd": pytest.approx(1.8027756),
        "min": 14.0, "max": 17.5,
    }  # fmt: skip
    assert seed_spread([3.0]) == {"n": 1, "mean": 3.0, "sd": None, "min": 3.0, "max": 3.0}
    with pytest.raises(InputError):
        seed_spread([])


def test_the_recipes_interval_covers_seeds_and_rows() -> None:
    """In simulation: three seeds, each shifted by its own draw, on rows that all of them share."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        differences = (
            2.0 + rng.normal(0, 1, (3, 1)) + rng.normal(0, 5, (1, 60)) + rng.normal(0, 2, (3, 60))
        )
        found = recipe_interval(differences)
        covered += found.low <= 2.0 <= found.high
    assert 0.93 <= covered / 400 <= 1.0


def test_seeds_that_differ_widen_it() -> None:
    rows = np.random.default_rng(1).normal(1, 1, (1, 100))
    alike, apart = rows + np.zeros((3, 1)), rows + np.array([[-1.0], [0.0], [1.0]])
    narrow, wide = recipe_interval(alike), recipe_interval(apart)
    assert narrow.value == pytest.approx(wide.value)
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_one_seed_says_nothing_of_a_recipe() -> None:
    with pytest.raises(InputError, match="say nothing of a recipe"):
        recipe_interval(np.ones((1, 50)))


def test_equal_differences_leave_room_for_rows_that_were_not_seen() -> None:
    """Five rows of five show no sign, as for a single model: p is 0.06."""
    assert recipe_interval(np.ones((3, 5))).low < 0 < recipe_interval(np.ones((3, 5))).high
    assert 0 < recipe_interval(np.ones((3, 6))).low < 1 < recipe_interval(np.ones((3, 6))).high
    rounded = recipe_interval(np.array([[1.3 - 1.0, 2.3 - 2.0, 4.3 - 4.0]] * 2))
    assert rounded.low < 0 < rounded.high
    assert recipe_interval(np.zeros((2, 4))) == Interval(0.0, 0.0, 0.0)
