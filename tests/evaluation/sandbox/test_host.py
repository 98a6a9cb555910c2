import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from nybble.evaluation import sandbox
from nybble.evaluation.sandbox import Limits
from nybble.runs.errors import InputError

DOUBLE = "def double(x):\n    return 2 * x\n"
SHORT = Limits(cpu_seconds=1, wall_seconds=2.0)


def test_a_program_that_ends_passes():
    verdict = sandbox.run("print('hello')")
    assert verdict.passed
    assert verdict.reason == "The program ran to its end."
    assert verdict.output == "hello\n"
    assert verdict.assertions == ()
    assert verdict.wall_seconds > 0


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("assert 1 == 2, 'they differ'", "AssertionError: they differ"),
        ("assert False", "AssertionError"),
        ("def f(:", "SyntaxError: invalid syntax (<program>, line 1)"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import os; os._exit(0)", "The program left with exit code 0 before it was done."),
        ("import ctypes; ctypes.string_at(0)", "The program was ended by SIGSEGV."),
        ("import numpy", "ModuleNotFoundError: No module named 'numpy'"),
    ],
)
def test_a_program_that_does_not_end_well_fails_with_the_reason(program, reason):
    verdict = sandbox.run(program, limits=SHORT)
    assert not verdict.passed
    assert verdict.reason == reason


def test_every_assertion_has_its_own_result():
    tests = [
        "assert double(2) == 4\nassert double(3) == 7",
        "assert double('a') == 'a'",
        "assert 1",
    ]
    verdict = sandbox.run(DOUBLE, tests)
    assert not verdict.passed
    assert verdict.reason == "6 == 7 is false"
    assert [(a.text, a.passed, a.message) for a in verdict.assertions] == [
        ("assert double(2) == 4", True, ""),
        ("assert double(3) == 7", False, "6 == 7 is false"),
        ("assert double('a') == 'a'", False, "'aa' == 'a' is false"),
        ("assert 1", True, ""),
    ]


def test_setup_runs_after_the_program_and_before_the_tests():
    program = "class Node:\n    def __init__(self, n): self.n, self.next = n, None\n"
    program += "def total(node):\n    return node.n + total(node.next) if node else 0\n"
    setup = "first = Node(1)\nfirst.next = Node(2)\nfirst.next.next = Node(3)"
    assert sandbox.run(program, ["assert total(first) == 6"], setup).passed
    assert not sandbox.run(program, ["assert total(first) == 7"], setup).passed
    refused = sandbox.run(program, ["assert total(first) == 6"], "first = Missing(1)")
    assert refused.reason == "The setup code raised NameError: name 'Missing' is not defined"


@pytest.mark.parametrize(
    "tests", [["assert doubl(2) == 4"], ["double(2)"], ["assert (", "assert 1"]]
)
def test_tests_that_test_nothing_fail(tests):
    assert not sandbox.run(DOUBLE, tests).passed


def test_the_same_program_prints_the_same_every_time():
    program = "print({'one', 'two', 'three', 'four'})"
    assert sandbox.run(program).output == sandbox.run(program).output


def test_what_is_printed_is_cut():
    verdict = sandbox.run("print('x' * 100_000)")
    assert verdict.passed
    assert verdict.output == "x" * 8192


def test_nothing_is_printed_into_ours(capfd):
    sandbox.run("import sys; print('out'); print('err', file=sys.stderr)")
    assert capfd.readouterr() == ("", "")


def test_this_process_is_left_as_it_was():
    before = psutil.Process().num_fds()
    for program in ("pass", "1 / 0", "import os; os._exit(3)"):
        sandbox.run(program)
    sandbox.run("while True: pass", limits=Limits(wall_seconds=0.5))
    assert psutil.Process().children(recursive=True) == []
    assert psutil.Process().num_fds() == before


# A shell ignores SIGINT for what it runs in the background, and so would all below it.
PARENT = """
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from nybble.evaluation import sandbox
threading.Timer(0.0, lambda: print("started", flush=True)).start()
sandbox.run("import time\\nwhile True: time.sleep(0.1)", limits=sandbox.Limits(wall_seconds=60))
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_parent_that_is_ended_leaves_nothing_running(ending):
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    parent.stdout.readline()
    below = wait_for(lambda: len(found := psutil.Process(parent.pid).children(True)) >= 3 and found)
    os.kill(parent.pid, ending)
    parent.wait(10)
    parent.stdout.close()
    assert wait_for(lambda: not any(process.is_running() for process in below))


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    return False


def test_protection_names_the_layers():
    assert "limits" in sandbox.protection()
    assert sandbox.protection() == sandbox.run("pass").protection


def test_windows_is_refused(monkeypatch):
    monkeypatch.setattr("nybble.evaluation.sandbox.starter.os.name", "nt")
    with pytest.raises(InputError, match="Windows"):
        sandbox.run("pass")


def test_what_is_left_would_be_found(running_here):
    """The fixture that looks for what is left sees a sandbox while it runs."""
    with sandbox.Starter() as starter, starter.sandbox():
        assert len(running_here()) >= 2
    assert running_here() == []
