"""The parent's side: starts the sandbox's processes, watches them, and sees that none is left."""

import contextlib
import functools
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nybble.evaluation.sandbox.inside import wire
from nybble.evaluation.sandbox.inside.layers import FILES
from nybble.evaluation.sandbox.verdict import Assertion, Limits, Verdict
from nybble.runs.errors import InputError

SHOWN_OUTPUT = 8192
_MODULES = str(Path(__file__).parent)
_START = "import sys; sys.path.insert(0, sys.argv[1]); from inside.launch import main; main({})"
_GRACE_SECONDS = 5.0

DEFAULT_LIMITS = Limits()


def run(
    program: str, tests: Sequence[str] = (), setup: str = "", limits: Limits = DEFAULT_LIMITS
) -> Verdict:
    """Run `program` apart from this machine, and say whether it passes.

    Without `tests`, a program passes that runs to its end and raises nothing. With them it passes
    when every assertion in them holds; `setup` runs after the program and before the tests. The
    tests run in a process of their own, so that a pass cannot be claimed, only earned: use them for
    programs that may want to deceive. Either way nothing of the program is left afterwards.

    Raises InputError on Windows, which has nothing to hold a program with.
    """
    if os.name != "posix":
        raise InputError(
            "Generated code cannot be run on Windows: nothing there would hold it.",
            "Run Nybble in WSL, or on Linux or macOS.",
        )
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="nybble-", ignore_cleanup_errors=True) as folder,
        _sandbox(folder) as (talk, output),
    ):
        job = {
            "program": program,
            "tested": bool(tests),
            "token": secrets.token_hex(16),
            "folder": folder,
            "modules": _MODULES,
            "parent": os.getpid(),
            "limits": asdict(limits),
        }
        watched = _Watched(talk.fileno(), output, limits, started)
        return watched.verdict(job, [setup, list(tests)])


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
            if FILES in self._layers:
                # A file system of its own was mounted there, out of sight; nothing else is in it.
                Path(job["folder"]).rmdir()
            wire.send(self._talk, tests)
            failure, assertions = self._next()
            self._drain()
        except wire.Gone:
            return self._result("The tests used more memory or processor time than allowed.")
        except _OverLimit as over:
            return self._result(str(over))
        held = "Every assertion holds." if job["tested"] else "The program ran to its end."
        return self._result(failure or held, failure is None, assertions)

    def _next(self) -> Any:
        """The next message of the tests' process, what is printed being read meanwhile."""
        while True:
            left = self._started + self._limits.wall_seconds - time.monotonic()
            ready, _, _ = select.select([self._talk, self._output], [], [], max(0.0, left))
            if self._talk in ready:
                return wire.receive(self._talk)
            if not ready:
                raise _OverLimit(f"It took longer than {self._limits.wall_seconds:g} s.")
            if not self._read_output():
                # Nothing holds the output any more: only a message or an end can come.
                self._output = self._talk

    def _drain(self) -> None:
        while select.select([self._output], [], [], 0)[0] and self._output != self._talk:
            if not self._read_output():
                return

    def _read_output(self) -> bool:
        part = os.read(self._output, 2**16)
        self._printed += len(part)
        self._shown += part[: SHOWN_OUTPUT - len(self._shown)]
        if self._printed > self._limits.output_bytes:
            raise _OverLimit(f"It printed more than {self._limits.output_bytes} bytes.")
        return bool(part)

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


@contextlib.contextmanager
def _sandbox(folder: str) -> Iterator[tuple[socket.socket, int]]:
    """The launcher, the socket to it, and what the program prints; nothing is left at the end."""
    ours, theirs = socket.socketpair()
    output, printed = os.pipe()
    # No site-packages, no user's, no current folder: the standard library alone.
    python = [sys.executable, "-s", "-S", "-P", "-X", "utf8"]
    process = subprocess.Popen(
        [*python, "-c", _START.format(theirs.fileno()), _MODULES],
        stdin=subprocess.PIPE,
        stdout=printed,
        stderr=printed,
        env={"PYTHONHASHSEED": "0"},
        pass_fds=[theirs.fileno()],
        start_new_session=True,
        cwd=folder,
    )
    theirs.close()
    os.close(printed)
    try:
        yield ours, output
    finally:
        ours.close()
        os.close(output)
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the launcher, which first ends and awaits the others; by force if it does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@functools.cache
def protection() -> tuple[str, ...]:
    """The layers that hold a program on this machine, for reports; see docs/sandbox.md."""
    return run("").protection
