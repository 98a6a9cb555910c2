"""What n rows say: intervals, tests of paired differences, and how many rows would say more."""

from nybble.evaluation.statistics.bootstrap import mean_interval, paired_interval, paired_p
from nybble.evaluation.statistics.interval import LEVEL, Interval
from nybble.evaluation.statistics.planning import rows_to_settle, running_estimate
from nybble.evaluation.statistics.ratios import (
    linearised,
    paired_ratio_interval,
    paired_ratio_p,
    ratio_interval,
)
from nybble.evaluation.statistics.shares import paired_share_interval, share_interval
from nybble.evaluation.statistics.significance import holm, mcnemar, permutation

__all__ = [
    "LEVEL",
    "Interval",
    "holm",
    "linearised",
    "mcnemar",
    "mean_interval",
    "paired_interval",
    "paired_p",
    "paired_ratio_interval",
    "paired_ratio_p",
    "paired_share_interval",
    "permutation",
    "ratio_interval",
    "rows_to_settle",
    "running_estimate",
    "share_interval",
]
