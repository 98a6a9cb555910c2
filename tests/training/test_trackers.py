import pytest

from nybble.runs.errors import InputError
from nybble.training import trackers
from nybble.training.trackers import TrackerWatcher, check_packages


class Fake:
    """A tracker that writes down what it is told, and fails at `fails_at`."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.told = []
        self.fails_at = fails_at

    def start(self):
        self.told.append("start")

    def store_init_configuration(self, values):
        self.told.append(values)

    def log(self, values, step=None):
        if step == self.fails_at:
            raise ConnectionError("no way to https://me:secret@host\nat all")
        self.told.append((step, values))

    def finish(self):
        self.told.append("finish")


def watch(fake: Fake, first_step: int = 0) -> None:
    watcher = TrackerWatcher("fake", lambda step: fake, {"lora.r": 8})
    watcher.begin(3, first_step)
    for step in range(first_step + 1, 4):
        watcher.record({"step": step, "loss": 1.0 / step, "note": "text"})
    watcher.end()


def test_a_tracker_is_told_settings_and_numbers_of_every_step():
    fake = Fake()
    watch(fake)
    steps = [(step, {"loss": 1.0 / step}) for step in (1, 2, 3)]
    assert fake.told == ["start", {"lora.r": 8}, *steps, "finish"]


def test_a_resumed_training_stores_no_settings_again():
    fake = Fake()
    watch(fake, first_step=2)
    assert fake.told == ["start", (3, {"loss": 1.0 / 3}), "finish"]


def test_a_tracker_that_fails_is_told_no_more_in_one_line_without_secrets(capsys):
    fake = Fake(fails_at=2)
    watch(fake)
    assert fake.told == ["start", {"lora.r": 8}, (1, {"loss": 1.0})]
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "ConnectionError" in said
    assert "secret" not in said


def test_a_missing_package_is_refused_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="wandb is not installed") as caught:
        check_packages(["wandb"])
    assert "pip install wandb" in caught.value.fix
