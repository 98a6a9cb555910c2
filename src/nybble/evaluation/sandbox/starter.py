"""Sandboxes at a few milliseconds each: a Python that has imported what one needs, and forks.

It runs no program itself, and nothing that a program does reaches it: each sandbox is a child that
leaves for namespaces of its own before it reads what to run.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from nybble.evaluation.sandbox.inside import wire
from nybble.runs.errors import InputError, NybbleError

MODULES = str(Path(__file__).parent)
_START = "import sys; sys.path.insert(0, sys.argv[1]); from inside.launch import serve; serve({})"
_GRACE_SECONDS = 5.0


class Starter:
    """Starts sandboxes, from any thread; ends with the `with` that it is used in.

    On Linux it ends with the thread that made it, too, and everything with it.
    """

    def __enter__(self) -> "Starter":
        if os.name != "posix":
            raise InputError(
                "Generated code cannot be run on Windows: nothing there would hold it.",
                "Run Nybble in WSL, or on Linux or macOS.",
            )
        self._control, theirs = socket.socketpair()
        self._lock = threading.Lock()
        # No site-packages, no user's, no current folder: the standard library alone.
        python = [sys.executable, "-s", "-S", "-P", "-X", "utf8"]
        with theirs:
            self._process = subprocess.Popen(
                [*python, "-c", _START.format(theirs.fileno()), MODULES],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PYTHONHASHSEED": "0"},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it, and with it the sandboxes that are left."""
        self._control.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @contextlib.contextmanager
    def sandbox(self) -> Iterator[tuple[int, int]]:
        """A new sandbox: where to talk with it, and where to read what is printed in it.

        Nothing of it is left at the end.
        """
        ours, theirs = socket.socketpair()
        output, printed = os.pipe()
        lifeline, life = os.pipe()
        try:
            launcher = self._start([theirs.fileno(), printed, lifeline])
        finally:
            theirs.close()
            os.close(printed)
            os.close(lifeline)
        try:
            yield ours.fileno(), output
        finally:
            os.close(life)
            # One that still waits for its job would not notice the other.
            with contextlib.suppress(OSError):
                ours.shutdown(socket.SHUT_WR)
            _await_end(ours, launcher)
            ours.close()
            os.close(output)

    def _start(self, descriptors: list[int]) -> int:
        """The launcher's process id."""
        try:
            with self._lock:
                socket.send_fds(self._control, [b"."], descriptors)
                return int(wire.receive(self._control.fileno()))
        except (OSError, wire.Gone):
            raise NybbleError(
                "The process that starts sandboxes has ended.",
                "End other programs if memory is short, then run it again.",
            ) from None


def _await_end(talk: socket.socket, launcher: int) -> None:
    """Wait for the launcher, which first ends and awaits the others; use force if it does not."""
    ended = select.poll()
    ended.register(talk, select.POLLIN)
    while ended.poll(_GRACE_SECONDS * 1000):
        try:
            if not talk.recv(2**16):
                return
        except ConnectionError:
            return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(launcher, signal.SIGKILL)
