from hypothesis import given
from hypothesis import strategies as st

from nybble.training.symptoms import (
    SYMPTOMS,
    SymptomWatcher,
    always_clipped,
    flat_loss,
    overfitting,
    spike,
)

NUMBER = st.one_of(st.none(), st.floats())


def line(step, loss, norm=0.5):
    return {"step": step, "loss": loss, "grad_norm": norm, "learning_rate": 1e-4}


@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER), max_size=150))
def test_any_history_is_read_without_an_error(values):
    history = [
        {"step": step, "loss": loss, "grad_norm": norm, "validation_loss": check}
        for step, (loss, norm, check) in enumerate(values, 1)
    ]
    for find in SYMPTOMS:
        find(history, 1.0)


@given(st.floats(0.5, 10), st.integers(60, 200))
def test_a_constant_loss_is_flat_and_a_falling_one_is_not(loss, steps):
    assert flat_loss([line(s, loss) for s in range(1, steps)] + [line(steps, loss)], 1.0)
    assert not flat_loss([line(s, loss * 0.99**s) for s in range(1, steps + 1)], 1.0)


@given(st.lists(st.floats(0.01, 20), min_size=100, max_size=120))
def test_gradients_are_clipped_only_where_all_of_the_last_hundred_are_longer(norms):
    history = [line(step, 1.0, norm) for step, norm in enumerate(norms, 1)]
    assert bool(always_clipped(history, 1.0)) == all(norm > 1.0 for norm in norms[-100:])


@given(st.lists(st.floats(0.5, 5), min_size=3, max_size=8))
def test_rising_validation_loss_is_told_only_while_training_loss_falls(checks):
    def history(falling):
        for number, check in enumerate(checks):
            for step in range(number * 10 + 1, number * 10 + 11):
                yield line(step, 3 * 0.99**step if falling else 3.0)
            yield {"step": number * 10 + 10, "validation_loss": check}

    assert not overfitting(list(history(falling=False)), 1.0)
    if sorted(checks, reverse=True) == checks:
        assert not overfitting(list(history(falling=True)), 1.0)
    if sorted(checks) == checks and checks[-1] > checks[0] * 1.02 and checks[-2] > checks[0]:
        assert overfitting(list(history(falling=True)), 1.0)


def test_a_spike_is_told_at_once_and_with_what_was_usual(tmp_path, capsys):
    watcher = SymptomWatcher(tmp_path / "metrics.jsonl", 1.0)
    watcher.begin(10, 0)
    for step in range(1, 5):
        watcher.record(line(step, 2.0 / step))
    assert not spike(watcher.history, 1.0)
    watcher.record(line(5, 9.0) | {"spike": True})
    said = capsys.readouterr().out
    assert "the loss jumped to 9.000 at step 5, after 0.833 (median of those before)" in said
    watcher.record(line(6, 9.0) | {"spike": True})
    assert capsys.readouterr().out == ""


def test_each_symptom_is_told_once(tmp_path, capsys):
    watcher = SymptomWatcher(tmp_path / "metrics.jsonl", 1.0)
    watcher.begin(150, 0)
    for step in range(1, 151):
        watcher.record(line(step, 1.0, norm=3.0))
    watcher.end()
    said = capsys.readouterr().out
    assert said.count("clipped at each") == 1
    assert said.count("does not fall") == 1
