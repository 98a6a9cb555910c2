"""Waiting when the Hub asks for it.

The Hub limits how often it is asked: it answers 429 and says in Retry-After how long to wait.
huggingface_hub waits so for files, not for the questions before and after them.
"""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

MOST_TRIES = 5
MOST_SECONDS = 300.0
_FIRST_SECONDS = 1.0

Value = TypeVar("Value")


def patiently(call: Callable[[], Value], wait: Callable[[float], object] = time.sleep) -> Value:
    """What `call` gives, called again, a few times, after the Hub has asked to wait.

    Any other error passes, and so does the last 429.
    """
    for attempt in range(MOST_TRIES - 1):
        try:
            return call()
        except Exception as error:
            if _status(error) != 429:
                raise
            asked = asked_seconds(error)
            seconds = _FIRST_SECONDS * 2**attempt if asked is None else asked
        print(f"hub        too many requests: waiting {seconds:.0f} s")
        wait(seconds)
    return call()


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
