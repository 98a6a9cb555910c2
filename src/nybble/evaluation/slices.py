"""Parts of the test rows that a comparison is also shown for: by a column, by length, by price.

What a slice shows is an observation, not a test: it has intervals, and no verdict.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nybble.evaluation.contender import Contender
from nybble.evaluation.estimates import Estimates
from nybble.evaluation.task import Item
from nybble.evaluation.words import rounded

FEWEST_ROWS = 8
MOST_VALUES = 12
BANDS = 4
OTHER = "all others"


@dataclass(frozen=True)
class Slicing:
    """A way to part the rows: `of_row` [rows] names each row's slice, `order` lists the slices."""

    by: str
    of_row: tuple[str, ...]
    order: tuple[str, ...]


def slicings(items: Sequence[Item], columns: Sequence[str], task: str) -> list[Slicing]:
    """By each of `columns`, by the true label or the band of the true number, and by length."""
    found = [by_column(items, column) for column in columns]
    if task == "number":
        truths = np.array([item.truth for item in items], np.float64)
        found.append(by_band("true value", truths))
    elif task == "label":
        found.append(by_value("true label", [str(item.truth) for item in items]))
    lengths = np.array([len(item.prompt) for item in items], np.float64)
    found.append(by_band("characters of the prompt", lengths))
    return [one for one in found if len(one.order) > 1]


def by_column(items: Sequence[Item], column: str) -> Slicing:
    """By the values of a column: bands of numbers where they are many, else each value."""
    values = [item.columns.get(column) for item in items]
    plain = [isinstance(value, int | float) and not isinstance(value, bool) for value in values]
    if all(plain) and len(set(map(str, values))) > MOST_VALUES:
        return by_band(column, np.array(values, np.float64))
    return by_value(column, ["none" if value is None else str(value) for value in values])


def by_value(by: str, values: Sequence[str]) -> Slicing:
    """A slice for each of the most frequent values, and one for all others."""
    counts = Counter(values).most_common()
    kept = [value for value, n in counts[:MOST_VALUES] if n >= FEWEST_ROWS]
    of_row = tuple(value if value in kept else OTHER for value in values)
    rest = of_row.count(OTHER)
    return Slicing(by, of_row, (*kept, *([OTHER] if rest >= FEWEST_ROWS else [])))


def by_band(by: str, values: npt.NDArray[np.float64]) -> Slicing:
    """Four bands of about as many rows each, named by their least and largest value.

    Infinite values and NaN, as Parquet files have them for gaps, are in no band.
    """
    known = np.isfinite(values)
    if not np.any(known):
        return Slicing(by, (OTHER,) * len(values), ())
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, BANDS + 1)[1:-1]))
    band = np.where(known, np.searchsorted(edges, values, side="left"), -1)
    names: dict[int, str] = {}
    for place in np.unique(band[known]).tolist():
        inside = values[band == place]
        if len(inside) >= FEWEST_ROWS:
            ends = dict.fromkeys(rounded(float(end)) for end in (inside.min(), inside.max()))
            names[place] = " to ".join(ends)
    of_row = tuple(names.get(place, OTHER) for place in band.tolist())
    return Slicing(by, of_row, tuple(dict.fromkeys(names.values())))


def sliced(
    slicing: Slicing, contenders: Sequence[Contender], estimates: Estimates
) -> list[dict[str, Any]]:
    """The comparison's `slices` for one slicing: every model's metric in each slice."""
    of_row = np.array(slicing.of_row)
    out = []
    for name in slicing.order:
        rows = of_row == name
        models = {
            one.name: estimates.of(one, rows, **estimates.quicker).as_json() for one in contenders
        }
        out.append({"by": slicing.by, "slice": name, "n": int(rows.sum()), "models": models})
    return out
