import numpy as np
import pytest
from sklearn.metrics import f1_score, mean_squared_error, r2_score, root_mean_squared_log_error

from nybble.report.other_metrics import label_intervals, number_intervals


def resampled(metric, truth, said, seed=1, draws=1_000):
    """The percentiles that a bootstrap written the plain way gives."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(truth), size=(draws, len(truth)))
    return np.quantile([metric(truth[r], said[r]) for r in rows], (0.025, 0.975))


@pytest.mark.parametrize(
    ("name", "metric"),
    [("mse", mean_squared_error), ("r2", r2_score), ("rmsle", root_mean_squared_log_error)],
)
def test_intervals_of_numbers_are_those_of_a_plain_bootstrap(name, metric):
    rng = np.random.default_rng(0)
    truth = rng.exponential(50, 200)
    said = truth * rng.lognormal(0, 0.3, 200)
    found = number_intervals(truth, {"a": said})["a"][name]
    low, high = resampled(metric, truth, said)
    assert (found["low"], found["high"]) == pytest.approx((low, high), rel=0.1)
    assert found["low"] < metric(truth, said) < found["high"]


def test_intervals_narrow_with_rows():
    rng = np.random.default_rng(1)
    widths = []
    for n in (50, 5_000):
        truth = rng.normal(0, 1, n)
        found = number_intervals(truth, {"a": truth + rng.normal(0, 0.5, n)})["a"]["r2"]
        widths.append(found["high"] - found["low"])
    assert widths[1] < widths[0] / 3


def test_what_has_no_meaning_has_no_interval():
    constant = np.ones(50)
    assert set(number_intervals(constant, {"a": constant})["a"]) == {"mse", "rmsle"}
    # Its mean is another number in the last bit.
    rounded = np.full(50, 0.1)
    assert set(number_intervals(rounded, {"a": constant})["a"]) == {"mse", "rmsle"}
    below = np.linspace(-2, 1, 50)
    assert set(number_intervals(below, {"a": constant})["a"]) == {"mse", "r2"}
    assert number_intervals(np.arange(19.0), {"a": np.arange(19.0)}) == {}
    assert label_intervals(["a"] * 19, {"m": ["a"] * 19}) == {}


def test_macro_f1_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(0)
    truth = rng.choice(["a", "b", "c"], 300, p=(0.6, 0.3, 0.1))
    said = np.where(rng.random(300) < 0.7, truth, rng.choice(["a", "b", "d"], 300))

    def metric(true, answers):
        return f1_score(true, answers, average="macro", zero_division=0)

    found = label_intervals(truth, {"m": said})["m"]["macro_f1"]
    low, high = resampled(metric, truth, said, draws=400)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.02)
