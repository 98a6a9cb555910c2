import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.report.contents import run_contents
from nybble.report.curves import MOST_POINTS, memory, rolling_mean, training
from nybble.runs.atomic import read_json_lines


@given(st.lists(st.floats(-10, 10) | st.just(float("nan")), min_size=1, max_size=40),
       st.sampled_from([1, 3, 9]))  # fmt: skip
def test_a_rolling_mean_is_that_of_the_known_neighbours(values, window):
    means = rolling_mean(np.array(values), window)
    for at, mean in enumerate(means):
        near = np.array(values[max(0, at - window // 2) : at + window // 2 + 1])
        known = near[np.isfinite(near)]
        if len(known):
            assert mean == pytest.approx(known.mean(), abs=1e-9)
        else:
            assert np.isnan(mean)


def test_a_step_without_a_loss_is_a_gap(trained):
    shown = training(read_json_lines(trained.metrics))
    assert shown["loss"][3] is None
    assert None not in shown["smooth"]
    assert shown["validation_step"] == [40]


@pytest.mark.parametrize(("steps", "bucket"), [(600, 1), (601, 2), (100_000, 167)])
def test_a_long_training_is_thinned(steps, bucket):
    lines = [{"step": s, "loss": 1.0, "learning_rate": 0.1} for s in range(1, steps + 1)]
    shown = training(lines)
    assert shown["bucket"] == bucket
    assert len(shown["loss"]) <= MOST_POINTS
    assert len(shown["loss"]) == len(shown["smooth"]) == len(shown["step"])


def test_steps_that_were_not_logged_are_counted_but_not_summed():
    lines = [{"step": s, "loss": 1.0, "tokens": 7, "step_seconds": 0.5} for s in (10, 20, 25)]
    shown = training(lines)
    assert (shown["steps"], shown["last_step"]) == (3, 25)
    assert (shown["tokens"], shown["seconds"]) == (21, 1.5)


def test_no_steps_no_curves():
    assert training([]) is None
    assert training([{"step": 3, "validation_loss": 1.0}]) is None


def test_memory_is_the_plans_and_the_measured_peak(tmp_path, make_trained):
    folder = make_trained(tmp_path / "run", on_gpu=True)
    shown = run_contents(folder).sections["memory"]
    assert [part["bytes"] for part in shown["plan"]] == [3_000_000, 900 * 2048]
    assert (shown["peak_bytes"], shown["steps"]) == (5_000_040, 40)


def test_memory_without_a_measurement(trained):
    assert run_contents(trained).sections["memory"]["peak_bytes"] is None
    assert memory([], {}) is None
