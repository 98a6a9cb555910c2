"""Predictions and truth in, results out: tasks, metrics, statistics, references, the comparison."""

from nybble.evaluation.comparison import Prediction, compare, seed_spread, verdict
from nybble.evaluation.number import (
    Thresholds,
    colour,
    extract_number,
    fill_unreadable,
    number_metrics,
)
from nybble.evaluation.references import RidgeResult, constant_reference, ridge_references
from nybble.evaluation.statistics import Interval, mean_interval, paired_interval

__all__ = [
    "Interval",
    "Prediction",
    "RidgeResult",
    "Thresholds",
    "colour",
    "compare",
    "constant_reference",
    "extract_number",
    "fill_unreadable",
    "mean_interval",
    "number_metrics",
    "paired_interval",
    "ridge_references",
    "seed_spread",
    "verdict",
]
