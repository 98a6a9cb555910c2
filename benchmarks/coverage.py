"""How often 95% intervals hold the true value, in simulation, beside Student's and percentiles'.

    python benchmarks/coverage.py [--simulations 3000] [--output OUT.json]

Rows are drawn from a distribution whose mean is known, an interval is made, and it holds the mean
or not. Errors are normal, exponential or lognormal(1). `loss per token` draws rows of very unequal
lengths, lognormal(0.8) around 55 tokens, and a loss that varies from row to row, gamma(2): the
interval is that of a ratio of sums. The shares above and below tell where the misses lie.

Intervals are made of 2,000 resamples, where Nybble draws 10,000 by default: fewer make the ends
noisier, which costs coverage if anything. With one thread it takes about a quarter of an hour.
"""

import argparse
import json
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from scipy import stats

from nybble.evaluation.statistics import Interval, mean_interval, ratio_interval

Floats = npt.NDArray[np.float64]
RESAMPLES = 2000
Rows = TypeVar("Rows")
SIZES = (50, 200, 1000)
BARS = {50: (0.91, 0.97), 200: (0.93, 0.97), 1000: (0.93, 0.97)}

ERRORS: dict[str, tuple[Callable[[np.random.Generator, int], Floats], float]] = {
    "normal": (lambda rng, n: rng.normal(3.0, 2.0, n), 3.0),
    "exponential": (lambda rng, n: rng.exponential(1.0, n), 1.0),
    "lognormal(1)": (lambda rng, n: rng.lognormal(0.0, 1.0, n), float(np.exp(0.5))),
}


def bootstrap_t(errors: Floats, seed: int) -> tuple[float, float]:
    return ends(mean_interval(errors, seed, resamples=RESAMPLES))


def student(errors: Floats, _: int) -> tuple[float, float]:
    found = stats.ttest_1samp(errors, 0.0).confidence_interval(0.95)
    return float(found.low), float(found.high)


def percentile(errors: Floats, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    means = errors[rng.integers(len(errors), size=(RESAMPLES, len(errors)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return low, high


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def losses(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Sums of losses [n] and tokens [n], whose true ratio is 2."""
    tokens = np.ceil(rng.lognormal(4.0, 0.8, n))
    return tokens * rng.gamma(2.0, 1.0, n), tokens


def per_token(rows: tuple[Floats, Floats], seed: int) -> tuple[float, float]:
    return ends(ratio_interval(*rows, seed=seed, resamples=RESAMPLES))


def covered(
    draw: Callable[[np.random.Generator, int], Rows],
    true: float,
    interval: Callable[[Rows, int], tuple[float, float]],
    n: int,
    simulations: int,
    seed: int,
) -> dict[str, float]:
    """The shares of simulated intervals that hold the true value, and lie above and below it."""
    rng = np.random.default_rng(seed)
    found = np.array([interval(draw(rng, n), number) for number in range(simulations)])
    above, below = float(np.mean(found[:, 0] > true)), float(np.mean(found[:, 1] < true))
    return {"coverage": 1.0 - above - below, "above": above, "below": below}


def measure(simulations: int, seed: int) -> list[dict[str, object]]:
    """A record for each method, distribution and number of rows."""
    methods = {"bootstrap-t": bootstrap_t, "student": student, "percentile": percentile}
    records: list[dict[str, object]] = []
    for n in SIZES:
        for errors, (draw, true) in ERRORS.items():
            for method, interval in methods.items():
                # The percentiles are there to show what they miss, where they miss most.
                if method == "percentile" and n > min(SIZES):
                    continue
                found = covered(draw, true, interval, n, simulations, seed)
                records.append({"method": method, "errors": errors, "n": n, **found})
        found = covered(losses, 2.0, per_token, n, simulations, seed)
        records.append({"method": "bootstrap-t", "errors": "loss per token", "n": n, **found})
    return records


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--simulations", type=int, default=3000)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--output", type=Path)
    options = arguments.parse_args()
    records = measure(options.simulations, options.seed)
    table = Table("method", "errors", "n", "holds the truth", "above it", "below it", "bar")
    for r in records:
        low, high = BARS[int(str(r["n"]))]
        bar = f"{low:.0%} to {high:.0%}" if r["method"] == "bootstrap-t" else ""
        shares = (f"{r[key]:.1%}" for key in ("coverage", "above", "below"))
        table.add_row(str(r["method"]), str(r["errors"]), str(r["n"]), *shares, bar)
    Console().print(table)
    if options.output:
        about = {"date": time.strftime("%Y-%m-%d"), "simulations": options.simulations}
        about |= {"resamples": RESAMPLES, "seed": options.seed}
        about |= {"nybble": version("nybble"), "numpy": np.__version__}
        text = json.dumps({**about, "cells": records}, indent=1)
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
