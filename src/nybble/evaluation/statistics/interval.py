"""An estimate with the range that its rows leave for it, and which rows can have one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nybble.runs.errors import InputError

Floats = npt.NDArray[np.float64]

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and the range that the rows leave for it; `low <= value <= high`."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign of the value is shown."""
        return self.low > 0 or self.high < 0

    def within(self, bounds: tuple[float, float] | None) -> "Interval":
        """The same without what lies beyond `bounds`, where no value can be."""
        least, largest = bounds or (-np.inf, np.inf)
        low, high = max(self.low, least), min(self.high, largest)
        return Interval(self.value, min(low, self.value), max(high, self.value))

    def as_json(self) -> dict[str, float]:
        """The three numbers by name."""
        return {"value": self.value, "low": self.low, "high": self.high}


def unseen_share(n: int, level: float = LEVEL) -> float:
    """The largest share of other rows that n equal rows leave room for: 0.84 at n = 2, 0.07 at 50.

    Clopper and Pearson's bound for 0 of n (Biometrika 26, 1934); about 3.7 / n at 95%.
    """
    return float(1.0 - ((1.0 - level) / 2.0) ** (1.0 / n))


def check_rows(values: Floats, least: int = 2) -> None:
    """Refuse what is no [n] of at least `least` finite numbers."""
    if values.ndim != 1 or len(values) < least:
        raise InputError(
            f"An interval needs at least {least} test row{'s' if least > 1 else ''}; "
            f"there are {values.size}.",
            "Raise evaluate.size or data.test.",
        )
    if not np.all(np.isfinite(values)):
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(
            f"The error of test row {row} is {values[row]}.",
            "Remove the row, or correct its number.",
        )


def check_pair(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> None:
    """Refuse results of two models that are not on the same rows."""
    if a.shape != b.shape:
        raise InputError(
            f"Errors of {a.shape} and {b.shape} rows cannot be paired.",
            "Evaluate both models on the same rows.",
        )


def check_level(level: float) -> None:
    """Refuse a level that is no share."""
    if not 0.0 < level < 1.0:
        raise InputError(f"The level of an interval is {level}.", "Choose a share such as 0.95.")
