"""Predictions and truth in, results out: tasks, metrics, statistics, references, the comparison."""

from nybble.evaluation.comparison import Prediction, compare, seed_spread, verdict
from nybble.evaluation.extraction import extract_number
from nybble.evaluation.metrics.labels import accuracy, confusion, macro_f1
from nybble.evaluation.metrics.numbers import (
    Thresholds,
    colour,
    fill_unreadable,
    number_metrics,
)
from nybble.evaluation.metrics.passes import pass_at_k
from nybble.evaluation.metrics.texts import chrf, corpus_chrf, exact_match, rouge_l
from nybble.evaluation.references import RidgeResult, constant_reference, ridge_references
from nybble.evaluation.statistics import Interval, mean_interval, paired_interval

__all__ = [
    "Interval",
    "Prediction",
    "RidgeResult",
    "Thresholds",
    "accuracy",
    "chrf",
    "colour",
    "compare",
    "confusion",
    "constant_reference",
    "corpus_chrf",
    "exact_match",
    "extract_number",
    "fill_unreadable",
    "macro_f1",
    "mean_interval",
    "number_metrics",
    "paired_interval",
    "pass_at_k",
    "ridge_references",
    "rouge_l",
    "seed_spread",
    "verdict",
]
