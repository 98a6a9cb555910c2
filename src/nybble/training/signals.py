"""How a training ends when it is asked to: with a checkpoint, soon.

Ctrl-C (SIGINT) once finishes the step; twice stops now. SIGTERM, a machine's pre-emption, leaves
some seconds: the step under way is given up, and so is an evaluation by either. Nothing is lost by
that, since a resumed training does them again.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from nybble.runs.errors import NybbleError
from nybble.runs.place import place_here

EXIT_TERMINATED = 143


class TerminatedError(NybbleError):
    """The work was asked to end by SIGTERM."""

    exit_code = EXIT_TERMINATED


class StopNow(BaseException):  # like KeyboardInterrupt, no error
    """Raised where a signal ends what can be done again."""


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Within, SIGTERM ends what goes on at once, by `StopNow`; out comes a `TerminatedError`.

    So what is half-written is removed. A process that helps another one is left to it.
    """
    if threading.current_thread() is not threading.main_thread() or not place_here().leads:
        yield
        return

    def ended(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: what is removed then is removed
        raise StopNow

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    except StopNow:
        raise TerminatedError("Ended by SIGTERM.", "Nothing was begun yet: say it again.") from None
    finally:
        signal.signal(signal.SIGTERM, before)


class StopAsked:
    """While entered, remembers which signal asked for the end; `signal` is None until then.

    A process that helps another one to train does not heed signals: the first one saves and ends,
    which ends the others.
    """

    def __init__(self, heeds: bool = True) -> None:
        self.heeds = heeds
        self.signal: int | None = None
        self._breaks: tuple[int, ...] = ()
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopAsked":
        # Python lets only the main thread handle signals: a notebook's or a server's may not be.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._asked)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @contextmanager
    def breaking(self, *numbers: int) -> Iterator[None]:
        """Within, any of these signals raises `StopNow` at once, also one that came before."""
        self._breaks = numbers
        try:
            if self.signal in numbers:
                raise StopNow
            yield
        finally:
            self._breaks = ()

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if not self.heeds:
            return
        if number == signal.SIGINT and self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
        if number == signal.SIGINT:
            print("\nFinishing the step; Ctrl-C again stops now, without saving.", flush=True)
        if number in self._breaks:
            raise StopNow

    def leave(self, step: int) -> None:
        """Raise what ends the training, of which `step` steps are saved."""
        if self.signal == signal.SIGTERM:
            what = f"step {step:,} is saved" if step else "no step was done yet"
            raise TerminatedError(
                f"Ended by SIGTERM; {what}.",
                "`nybble resume` goes on from there." if step else "Begin anew with `nybble run`.",
            )
        raise KeyboardInterrupt
