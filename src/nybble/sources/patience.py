"""Waiting when the Hub asks for it, and trying again when a download breaks.

The Hub limits how often it is asked: it answers 429 and says in Retry-After how long to wait.
huggingface_hub waits so for files, not for the questions before and after them. It also goes on
where a connection ended early, but not where one was reset.
"""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

MOST_TRIES = 5
MOST_SECONDS = 300.0
_FIRST_SECONDS = 1.0
_BROKEN = ("ReadError", "ReadTimeout", "RemoteProtocolError")

Value = TypeVar("Value")


def patiently(
    call: Callable[[], Value],
    wait: Callable[[float], object] = time.sleep,
    breaks: bool = False,
) -> Value:
    """What `call` gives, called again, a few times, after the Hub has asked to wait.

    With `breaks` also when a connection broke that had been made: for what can be asked twice. Any
    other error passes, and so does the last one.
    """
    for attempt in range(MOST_TRIES - 1):
        seconds = _FIRST_SECONDS * 2**attempt
        try:
            return call()
        except Exception as error:
            if _status(error) == 429:
                asked = asked_seconds(error)
                seconds = seconds if asked is None else asked
                why = "too many requests: waiting"
            elif breaks and broke(error):
                why = "the connection broke: trying again in"
            else:
                raise
        print(f"hub        {why} {seconds:.0f} s")
        wait(seconds)
    return call()


def broke(error: BaseException | None) -> bool:
    """Whether a connection that had been made broke; not whether none could be made."""
    while error is not None:
        if type(error).__name__ in _BROKEN and type(error).__module__.startswith("httpx"):
            return True
        error = error.__cause__
    return False


def asked_seconds(error: BaseException | None) -> float | None:
    """How long the Hub asked to wait, at most `MOST_SECONDS`; None where it did not say."""
    return retry_after_seconds(getattr(_response(error), "headers", {}))


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait that an answer's Retry-After asks for, at most `MOST_SECONDS`; None without one."""
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(MOST_SECONDS, seconds) if seconds >= 0 else None


def _status(error: BaseException) -> int | None:
    return getattr(_response(error), "status_code", None)


def _response(error: BaseException | None) -> object:
    """The Hub's answer behind `error`: snapshot_download wraps why it failed."""
    while error is not None:
        if (response := getattr(error, "response", None)) is not None:
            return response
        error = error.__cause__
    return None
