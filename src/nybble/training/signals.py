"""How a training ends when it is asked to: after the step, with a checkpoint.

Ctrl-C (SIGINT) once finishes the step; twice stops now. SIGTERM, a machine's pre-emption, finishes
the step too.
"""

import signal
import threading
from types import FrameType, TracebackType

from nybble.runs.errors import NybbleError

EXIT_TERMINATED = 143


class TerminatedError(NybbleError):
    """The training was asked to end by SIGTERM, and has saved."""

    exit_code = EXIT_TERMINATED


class StopAsked:
    """While entered, remembers which signal asked for the end; `signal` is None until then.

    A process that helps another one to train does not heed signals: the first one saves and ends,
    which ends the others.
    """

    def __init__(self, heeds: bool = True) -> None:
        self.heeds = heeds
        self.signal: int | None = None
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

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if not self.heeds:
            return
        if number == signal.SIGINT and self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
        if number == signal.SIGINT:
            print("\nFinishing the step; Ctrl-C again stops now, without saving.", flush=True)

    def leave(self, step: int) -> None:
        """Raise what ends the training, whose `step` is saved."""
        if self.signal == signal.SIGTERM:
            raise TerminatedError(
                f"Ended by SIGTERM; step {step} is saved.", "`nybble resume` goes on from there."
            )
        raise KeyboardInterrupt
