"""The sandbox's processes, from the outermost in; each ends with the one before it.

    Nybble ── starter ─┬─ launcher ── tests (first process of its namespaces) ── program
                       └─ launcher ── …

Nybble holds the launcher's standard input: its end means that Nybble has gone or wants an end. The
tests' process talks with Nybble by a socket that the program's does not have. When the tests'
process ends, the kernel ends everything in its process namespace, and the launcher follows.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import confine, wire
from .judge import Program, run_tests
from .layers import FILES
from .program import play
from .watched import Watch

_PATIENCE_SECONDS = 0.5


def serve(control: int) -> None:
    """The starter: a launcher for every three files that come over the socket `control`."""
    confine.die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    channel = socket.socket(fileno=control)
    while True:
        message, files, _, _ = socket.recv_fds(channel, 1, 3)
        if not message:
            return
        child = os.fork()
        if child == 0:
            channel.close()
            _become_launcher(*files)
        for descriptor in files:
            os.close(descriptor)
        wire.send(control, child)


def _become_launcher(parent: int, printed: int, lifeline: int) -> NoReturn:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(lifeline, 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.close(lifeline)
    os.close(printed)
    try:
        _launch(parent)
        os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _launch(parent: int) -> None:
    """Do the one job that comes over the socket `parent`, which stays open until it is done."""
    job = wire.receive(parent)
    layers = confine.enter(job["folder"], job["limits"])
    confine.die_with_parent()
    ended, first = os.pipe()
    child = os.fork()
    if child == 0:
        confine.die_with_parent()
        os.close(ended)
        _supervise(job, layers, parent)
        os._exit(0)
    os.close(first)
    select.select([0, ended], [], [])
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if FILES not in layers:
        _remove(job["folder"])


def _remove(folder: str) -> None:
    """Leave nothing of the program's, also when the parent cannot see to it any more."""
    import shutil  # takes a while, and is hardly ever needed

    shutil.rmtree(folder, ignore_errors=True)


def _supervise(job: dict[str, Any], layers: list[str], parent: int) -> None:
    """Start the program, test it, and tell the parent what became of it.

    The tests come after the program's process has been made, which so never had them in memory.
    """
    requests_read, requests = os.pipe()
    replies, replies_write = os.pipe()
    child = os.fork()
    if child == 0:
        confine.die_with_parent()
        confine.keep_open({requests_read, replies_write})
        with contextlib.suppress(wire.Gone):
            _play(job, layers, requests_read, replies_write)
        os._exit(0)
    os.close(requests_read)
    os.close(replies_write)
    layers += confine.bind_self(job["limits"], layers)
    wire.send(parent, layers)
    setup, tests = wire.receive(parent)
    watch = Watch()
    try:
        failure = _judge(Program(requests, replies), job["token"], setup, tests, watch)
    except wire.Gone as gone:
        failure = _how_it_ended(child, job["limits"]["cpu_seconds"]) or f"The program sent {gone}."
    wire.send(parent, [failure, watch.assertions()])


def _play(job: dict[str, Any], layers: list[str], requests: int, replies: int) -> None:
    program, token, tested = job["program"], job["token"], job["tested"]
    home = str(Path.cwd())
    os.environ.clear()
    os.environ.update(HOME=home, TMPDIR=home, PATH="/usr/bin:/bin", LANG="C.UTF-8")
    sys.argv = ["program"]
    sys.path = [path for path in sys.path if path != job["modules"]]
    confine.bind_self(job["limits"], layers)
    play(program, "program" if tested else "__main__", token, requests, replies)


def _judge(
    program: Program, token: str, setup: str, tests: Sequence[str], watch: Watch
) -> str | None:
    """Why the program fails, or None."""
    how, *rest = program.opening()
    if how == "raised":
        return ": ".join(str(part) for part in rest if part)
    if rest != [token]:
        return "The program claimed to have ended."
    return run_tests(program, setup, tests, watch) if tests else None


def _how_it_ended(child: int, cpu_seconds: int) -> str | None:
    """What ended the program's process, or None while it goes on."""
    patience = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < patience:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            if -code == signal.SIGXCPU:
                return f"It used more than {cpu_seconds} s of processor time."
            if -code == signal.SIGKILL:
                return f"It was killed for more than {cpu_seconds} s, or for want of memory."
            if code < 0:
                return f"The program was ended by {signal.Signals(-code).name}."
            return f"The program left with exit code {code} before it was done."
        time.sleep(0.005)
    return None
