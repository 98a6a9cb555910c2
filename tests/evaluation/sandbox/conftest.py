import time

import psutil
import pytest

from nybble.evaluation.sandbox import Limits, host, starter


def running_with(mark):
    """Processes with `mark` in their command line, whoever their parent is by now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and mark in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def short():
    return Limits(cpu_seconds=1, wall_seconds=4.0)


@pytest.fixture
def nothing_left(tmp_path_factory, monkeypatch):
    """Nothing that the test started still runs when it ends.

    The sandbox's processes are told from others' by the path that they take their modules from.
    """
    modules = tmp_path_factory.mktemp("modules") / "sandbox"
    modules.symlink_to(starter.MODULES)
    for module in (host, starter):
        monkeypatch.setattr(module, "MODULES", str(modules))
    yield
    end = time.monotonic() + 5
    while (left := running_with(str(modules))) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left
    assert not psutil.Process().children(recursive=True)


@pytest.fixture
def running_here(nothing_left):
    """A look at which processes of the test's own sandboxes run."""
    return lambda: running_with(starter.MODULES)
