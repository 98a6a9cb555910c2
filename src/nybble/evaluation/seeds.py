"""What several seeds say of a recipe: one adapter's interval over rows leaves its seed out."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nybble.evaluation.statistics import LEVEL, Interval
from nybble.evaluation.statistics.bootstrap import ROUNDING, equal_interval
from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]


def seed_spread(values: Sequence[float]) -> dict[str, float | None]:
    """What the training seed changes: `n`, `mean`, `sd` (n - 1), `min` and `max` of a metric.

    `sd` is None for one seed. Raises InputError for none.
    """
    if not values:
        raise InputError("There are no seeds to compare.", "Run the recipe with at least one.")
    return {
        "n": len(values),
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "min": float(min(values)),
        "max": float(max(values)),
    }


def recipe_interval(differences_sn: Floats) -> Interval:
    """The mean of `differences_sn` [seeds, rows], for other seeds and other rows of the same kind.

    Seeds and rows are crossed: the variance is that of the rows' means over rows, plus that of the
    seeds' means over seeds; t with the degrees of freedom of Satterthwaite (Biometrics Bulletin 2,
    1946). The rows' own noise is in both, so it is rather wide than narrow. Where all differences
    are the same, it says what the rows' signs alone say. Raises InputError for fewer than two seeds
    or rows.
    """
    seeds, rows = differences_sn.shape
    if seeds < 2 or rows < 2:
        raise InputError(
            f"{seeds} seeds on {rows} rows say nothing of a recipe.",
            "Train with at least two seeds, and judge on at least two rows.",
        )
    value = float(differences_sn.mean())
    if np.ptp(differences_sn) <= ROUNDING * np.abs(differences_sn).max():
        return equal_interval(value, rows, LEVEL)
    of_rows = float(differences_sn.mean(axis=0).var(ddof=1)) / rows
    of_seeds = float(differences_sn.mean(axis=1).var(ddof=1)) / seeds
    variance = of_rows + of_seeds
    from scipy.stats import t

    freedom = variance**2 / (of_rows**2 / (rows - 1) + of_seeds**2 / (seeds - 1))
    reach = float(t.ppf(0.5 + LEVEL / 2.0, freedom)) * variance**0.5
    return Interval(value, value - reach, value + reach)
