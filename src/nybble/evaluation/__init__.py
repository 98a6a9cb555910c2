"""Predictions and truth in, results out: tasks, metrics, statistics, references, the comparison."""

from nybble.evaluation.comparison import compare, of_run
from nybble.evaluation.contender import Contender
from nybble.evaluation.extraction import extract_number
from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.references import constant_reference, ridge_references
from nybble.evaluation.slices import slicings
from nybble.evaluation.statistics import Interval, mean_interval, paired_interval
from nybble.evaluation.task import Answers, Item, Judged, Task
from nybble.evaluation.verdict import verdict

__all__ = [
    "Answers",
    "Contender",
    "Interval",
    "Item",
    "Judged",
    "Task",
    "Thresholds",
    "compare",
    "constant_reference",
    "extract_number",
    "mean_interval",
    "of_run",
    "paired_interval",
    "ridge_references",
    "slicings",
    "verdict",
]
