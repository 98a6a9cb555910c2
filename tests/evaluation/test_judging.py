import os
import time

import psutil
import pytest

from nybble.evaluation.judging import judge_programs
from nybble.evaluation.problems import Problem
from nybble.evaluation.sandbox import Limits

PROBLEM = Problem(("assert f(2) == 4",), "f")


def program(factor):
    return f"def f(x):\n    return {factor} * x"


def test_verdicts_are_in_the_order_of_the_programs():
    programs = [program(factor) for factor in (1, 2, 3, 2)]
    done = []
    verdicts = judge_programs([PROBLEM] * 4, programs, at_once=3, on_judged=done.append)
    assert [verdict.passed for verdict in verdicts] == [False, True, False, True]
    assert done == [1, 2, 3, 4]


def test_none_are_judged():
    assert judge_programs([], []) == []


def test_an_interruption_ends_what_runs():
    def interrupt(done):
        raise KeyboardInterrupt

    sleeping = "import time\ntime.sleep(1000)"
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        judge_programs(
            [PROBLEM] * 6,
            [program(2), *[sleeping] * 5],
            Limits(wall_seconds=300.0),
            at_once=3,
            on_judged=interrupt,
        )
    assert time.monotonic() - started < 100
    assert not psutil.Process().children(recursive=True)


def test_many_open_files_are_no_hindrance():
    """select() would refuse descriptors above 1,023."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("the limit of open files is too low")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2000, hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        assert judge_programs([PROBLEM], [program(2)])[0].passed
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
