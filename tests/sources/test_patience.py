"""Waiting as long as the Hub asks, and not for ever."""

import pytest

from nybble.sources.patience import MOST_SECONDS, MOST_TRIES, asked_seconds, patiently


class Answer:
    def __init__(self, status_code: int, **headers: str) -> None:
        self.status_code = status_code
        self.headers = {name.replace("_", "-"): text for name, text in headers.items()}


def refusing(answer: Answer, times: int):
    """A call that fails so many times, its cause wrapped, before it gives 7."""
    calls = []

    def call() -> int:
        calls.append(1)
        if len(calls) <= times:
            cause = RuntimeError("the Hub's")
            cause.response = answer  # type: ignore[attr-defined]
            raise LookupError("not in the cache") from cause
        return 7

    return call


def test_as_long_as_was_asked() -> None:
    waited: list[float] = []
    assert patiently(refusing(Answer(429, Retry_After="12"), 2), waited.append) == 7
    assert waited == [12.0, 12.0]


def test_longer_each_time_where_nothing_was_said() -> None:
    waited: list[float] = []
    with pytest.raises(LookupError):
        patiently(refusing(Answer(429), 99), waited.append)
    assert waited == [1.0, 2.0, 4.0, 8.0] and len(waited) == MOST_TRIES - 1


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_other_answers_are_not_waited_for(status: int) -> None:
    waited: list[float] = []
    with pytest.raises(LookupError):
        patiently(refusing(Answer(status, Retry_After="1"), 1), waited.append)
    assert waited == []


class ReadError(Exception):
    __module__ = "httpx2"


class ConnectError(Exception):
    __module__ = "httpx2"


def breaking(error: Exception):
    """A call that fails once, `error` being the cause, before it gives 7."""
    left = [error]

    def call() -> int:
        if left:
            raise LookupError("not in the cache") from left.pop()
        return 7

    return call


def test_a_broken_connection_is_tried_again_where_that_does_no_harm() -> None:
    waited: list[float] = []
    assert patiently(breaking(ReadError()), waited.append, breaks=True) == 7
    assert waited == [1.0]
    for error, breaks in ((ReadError(), False), (ConnectError(), True)):
        with pytest.raises(LookupError):
            patiently(breaking(error), waited.append, breaks=breaks)
    assert waited == [1.0]


def test_what_is_no_number_of_seconds() -> None:
    def error(text: str) -> Exception:
        error = RuntimeError()
        error.response = Answer(429, Retry_After=text)  # type: ignore[attr-defined]
        return error

    assert asked_seconds(error("Wed, 21 Oct 2026 07:28:00 GMT")) is None
    assert asked_seconds(error("-1")) is None
    assert asked_seconds(error("1e9")) == MOST_SECONDS
    assert asked_seconds(None) is None
