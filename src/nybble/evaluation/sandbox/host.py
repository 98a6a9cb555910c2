"""The parent's side: says what to run, watches it, and gives the verdict."""

import contextlib
import functools
import os
import secrets
import select
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nybble.evaluation.sandbox.inside import wire
from nybble.evaluation.sandbox.starter import MODULES, Starter
from nybble.evaluation.sandbox.verdict import Assertion, Limits, Verdict
from nybble.runs.errors import NybbleError

SHOWN_OUTPUT = 8192
DEFAULT_LIMITS = Limits()


def run(
    program: str,
    tests: Sequence[str] = (),
    setup: str = "",
    limits: Limits = DEFAULT_LIMITS,
    starter: Starter | None = None,
) -> Verdict:
    """Run `program` apart from this machine, and say whether it passes.

    Without `tests`, a program passes that runs to its end and raises nothing. With them it passes
    when every assertion in them holds; `setup` runs after the program and before the tests. The
    tests run in a process of their own, so that a pass cannot be claimed, only earned: use them for
    programs that may want to deceive. Either way nothing of the program is left afterwards.

    For many programs, a `starter` saves the most of the time. Raises InputError on Windows, which
    has nothing to hold a program with.
    """
    if starter is None:
        with Starter() as own:
            return run(program, tests, setup, limits, own)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="nybble-", ignore_cleanup_errors=True) as folder,
        starter.sandbox() as (talk, output),
    ):
        job = {
            "program": program,
            "tested": bool(tests),
            "token": secrets.token_hex(16),
            "folder": folder,
            "modules": MODULES,
            "limits": asdict(limits),
        }
        return _Watched(talk, output, limits, started).verdict(job, [setup, list(tests)])


class _Watched:
    """One run, as the parent sees it: messages, output, the clock."""

    def __init__(self, talk: int, output: int, limits: Limits, started: float) -> None:
        self._talk, self._output, self._limits, self._started = talk, output, limits, started
        self._printed, self._shown = 0, bytearray()
        self._layers: list[str] = []

    def verdict(self, job: dict[str, Any], tests: list[Any]) -> Verdict:
        try:
            wire.send(self._talk, job)
            self._layers = self._next()
            wire.send(self._talk, tests)
            failure, assertions = self._next()
            self._drain()
        except wire.Gone:
            return self._ended_early()
        except _OverLimit as over:
            return self._result(str(over))
        held = "Every assertion holds." if job["tested"] else "The program ran to its end."
        return self._result(failure or held, failure is None, assertions)

    def _next(self) -> Any:
        """The next message of the tests' process, what is printed being read meanwhile."""
        reading = select.poll()
        reading.register(self._talk, select.POLLIN)
        reading.register(self._output, select.POLLIN)
        while True:
            left = self._started + self._limits.wall_seconds - time.monotonic()
            ready = [descriptor for descriptor, _ in reading.poll(max(0.0, left) * 1000)]
            if self._talk in ready:
                return wire.receive(self._talk)
            if not ready:
                raise _OverLimit(f"It took longer than {self._limits.wall_seconds:g} s.")
            if not self._read_output():
                reading.unregister(self._output)

    def _drain(self) -> None:
        """Read what was printed before the verdict came."""
        waiting = select.poll()
        waiting.register(self._output, select.POLLIN)
        while waiting.poll(0) and self._read_output():
            pass

    def _read_output(self) -> bool:
        part = os.read(self._output, 2**16)
        self._printed += len(part)
        self._shown += part[: SHOWN_OUTPUT - len(self._shown)]
        if self._printed > self._limits.output_bytes:
            raise _OverLimit(f"It printed more than {self._limits.output_bytes} bytes.")
        return bool(part)

    def _ended_early(self) -> Verdict:
        if self._layers:
            return self._result("The tests used more memory or processor time than allowed.")
        with contextlib.suppress(_OverLimit):
            self._drain()
        said = self._shown.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise NybbleError(
            f"The sandbox could not be made: {said or 'its process ended'}.",
            "See docs/sandbox.md for what it needs of the machine.",
        )

    def _result(self, reason: str, passed: bool = False, assertions: Any = ()) -> Verdict:
        return Verdict(
            passed,
            " ".join(reason.split()),
            tuple(Assertion(*assertion) for assertion in assertions),
            self._shown.decode("utf-8", "replace"),
            time.monotonic() - self._started,
            tuple(self._layers),
        )


class _OverLimit(Exception):  # noqa: N818 - a verdict, not an error
    """The program used up more than it may."""


@functools.cache
def protection() -> tuple[str, ...]:
    """The layers that hold a program on this machine, for reports; see docs/sandbox.md."""
    return run("").protection
