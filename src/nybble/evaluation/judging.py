"""Many programs judged at once, each in a sandbox of its own."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from nybble.evaluation.problems import Problem
from nybble.evaluation.sandbox import DEFAULT_LIMITS, Limits, Starter, Verdict, run


def judge_programs(
    problems: Sequence[Problem],
    programs: Sequence[str],
    limits: Limits = DEFAULT_LIMITS,
    at_once: int | None = None,
    on_judged: Callable[[int], None] = lambda done: None,
) -> list[Verdict]:
    """The verdict on `programs[i]` as an answer to `problems[i]`, for each i.

    `at_once` of them run side by side, as many as there are cores where it is not given.
    `on_judged` hears how many are done. When this is interrupted, all that run are ended.
    """
    with Starter() as starter, ThreadPoolExecutor(at_once or os.cpu_count()) as threads:
        futures = [
            threads.submit(run, program, problem.tests, problem.setup, limits, starter)
            for problem, program in zip(problems, programs, strict=True)
        ]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                on_judged(done)
        except BaseException:
            starter.end()
            threads.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]
