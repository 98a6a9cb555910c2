"""The trackers that a recipe asks for: TensorBoard, Weights & Biases, MLflow, Trackio.

Each is told of every step through Accelerate's tracker of that name, from a thread of its own: a
slow server does not slow the training, and a tracker that fails is left out from then on.
"""

import importlib.util
import queue
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nybble.runs.errors import InputError
from nybble.runs.secrets import masked

# Of each tracker, the modules of which one is needed, and the package to install.
PACKAGES = {
    "tensorboard": (("tensorboard", "tensorboardX"), "tensorboard"),
    "wandb": (("wandb",), "wandb"),
    "mlflow": (("mlflow",), "mlflow"),
    "trackio": (("trackio",), "trackio"),
}
# So long a tracker may take to send what it still has, after a training that ended well or not:
# a machine that is taken away gives 10 seconds for everything.
SECONDS_TO_FINISH, SECONDS_AFTER_FAILURE = 60.0, 3.0


class Tracker(Protocol):
    """What is used of Accelerate's `GeneralTracker`."""

    def start(self) -> None: ...
    def store_init_configuration(self, values: dict[str, Any]) -> None: ...
    def log(self, values: dict[str, Any], step: int | None = None) -> None: ...
    def finish(self) -> None: ...


# Opens a tracker for a training that begins at the given step.
MakeTracker = Callable[[int], Tracker]


def check_packages(names: Sequence[str]) -> None:
    """Raise `InputError` when the package of a tracker in `names` is not installed."""
    missing = [
        package
        for modules, package in (PACKAGES[name] for name in names)
        if not any(importlib.util.find_spec(module) for module in modules)
    ]
    if missing:
        raise InputError(
            f"train.report_to = {', '.join(names)}: {', '.join(missing)} is not installed.",
            f"Say pip install {' '.join(missing)}, or leave it out of train.report_to.",
        )


class TrackerWatcher:
    """Tells the tracker called `name`, which `make` gives, about a training.

    `settings` are stored with a run that begins anew. All calls come from one thread, which some
    trackers need. What fails is told in one line, and nothing more is sent.
    """

    def __init__(self, name: str, make: MakeTracker, settings: Mapping[str, Any]) -> None:
        self.name = name
        self.make = make
        self.settings = dict(settings)
        self.calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name=f"{name} tracker", daemon=True)
        self.tracker: Tracker | None = None

    def begin(self, total_steps: int, first_step: int) -> None:
        self.calls.put(lambda: self._start(first_step))
        self.thread.start()

    def record(self, values: Mapping[str, float | int | str]) -> None:
        self.calls.put(lambda: self._log(dict(values)))

    def saved(self, step: int, checkpoint: Path) -> None:
        """Trackers are told of numbers alone."""

    def end(self) -> None:
        self.calls.put(self._finish)
        self.calls.put(None)
        seconds = SECONDS_AFTER_FAILURE if sys.exc_info()[0] else SECONDS_TO_FINISH
        self.thread.join(seconds)
        if self.thread.is_alive():
            print(f"{self.name:<10} did not finish within {seconds:.0f} s and was left", flush=True)

    def _work(self) -> None:
        """Make the calls in order, until None comes or one fails."""
        while call := self.calls.get():
            try:
                call()
            except Exception as error:
                # A person may have written a password into an address, or a key elsewhere.
                why = masked(" ".join(str(error).split()))[:200]
                print(f"{self.name:<10} failed and is told no more: {type(error).__name__} {why}",
                      flush=True)  # fmt: skip
                return

    def _start(self, first_step: int) -> None:
        tracker = self.make(first_step)
        tracker.start()
        self.tracker = tracker
        if first_step == 0:
            tracker.store_init_configuration(self.settings)

    def _log(self, values: dict[str, float | int | str]) -> None:
        step = int(values.pop("step"))
        numbers = {
            k: v
            for k, v in values.items()
            if isinstance(v, int | float) and not isinstance(v, bool)
        }
        if self.tracker and numbers:
            self.tracker.log(numbers, step=step)

    def _finish(self) -> None:
        if self.tracker:
            self.tracker.finish()
