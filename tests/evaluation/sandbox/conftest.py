import time

import psutil
import pytest

from nybble.evaluation.sandbox import Limits

MARK = "inside.launch"


def sandbox_processes():
    """The sandbox's processes on this machine, whoever their parent is by now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and MARK in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return set(found)


@pytest.fixture
def short():
    return Limits(cpu_seconds=1, wall_seconds=4.0)


@pytest.fixture
def nothing_left():
    """Nothing that the test started still runs when it ends."""
    before = sandbox_processes()
    yield
    end = time.monotonic() + 5
    while (left := sandbox_processes() - before) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left
    assert not psutil.Process().children(recursive=True)
