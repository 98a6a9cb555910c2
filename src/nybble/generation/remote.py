"""Models behind a URL: asked several at once, patiently, and counted in tokens and dollars.

What waiting cures (too many requests, a server's own faults, time-outs, dropped connections, half a
reply) is tried again, later each time, or when the server says; everything else ends in two lines.
"""

import hashlib
import random
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Event, Lock
from typing import Any

import httpx2 as httpx

from nybble.generation.at_once import at_once
from nybble.generation.cache import ModelCache, PredictionCache
from nybble.generation.remote_bill import Bill
from nybble.generation.remote_protocol import (
    PATHS,
    Reply,
    Turns,
    failure,
    read_reply,
    refuse_settings,
    request,
)
from nybble.generation.remote_reference import RemoteReference
from nybble.generation.sampling import Sampling
from nybble.runs.errors import NybbleError
from nybble.sources.patience import retry_after_seconds

NEWER = "max_completion_tokens"
MOST_TRIES = 8
FIRST_SECONDS, MOST_SECONDS = 0.5, 60.0


@dataclass(frozen=True)
class _Question:
    place: int
    answer: int
    body: dict[str, Any]


@dataclass(frozen=True)
class _Later:
    """Why a try failed; `seconds` to wait where the server says."""

    why: str
    seconds: float | None = None
    most_tries: int = MOST_TRIES


class RemoteModel:
    """The model that `reference` means. With `cache`, no question is paid for twice."""

    def __init__(self, reference: RemoteReference, cache: PredictionCache | None = None) -> None:
        self.reference = reference
        self.bill = Bill()
        self.key = reference.key()
        self.cache = ModelCache(cache, f"{reference.url} {reference.api}") if cache else None
        self.length_field = "max_tokens"
        self.resume_at = 0.0
        self.lock = Lock()

    def ask(
        self,
        prompts: Sequence[str | Turns],
        sampling: Sampling,
        on_answer: Callable[[int, str], None],
        answers_each: int = 1,
    ) -> None:
        """Answer every prompt and call `on_answer(place, text)` as each is there, in any order.

        Callbacks come from the calling thread. Raises `NybbleError` at the first failure that
        waiting does not cure; an interrupt leaves at once.
        """
        refuse_settings(self.reference, sampling)
        left = []
        for question in self._questions(prompts, sampling, answers_each):
            known = self.cache.get(*_kept_as(question, sampling)) if self.cache else None
            if known is None:
                left.append(question)
                continue
            reply = Reply(**known)
            self.bill.remembered += 1
            self.bill.add(reply)
            on_answer(question.place, reply.text)
        with closing(self._replies(left, sampling.stop)) as replies:
            for question, reply in replies:
                self.bill.asked += 1
                self.bill.add(reply)
                if self.cache:
                    self.cache.put(*_kept_as(question, sampling), vars(reply))
                on_answer(question.place, reply.text)

    def _questions(
        self, prompts: Sequence[str | Turns], sampling: Sampling, answers_each: int
    ) -> list[_Question]:
        return [
            _Question(place, n, request(self.reference, prompt, sampling, seed))
            for place, prompt in enumerate(prompts)
            for n in range(answers_each)
            for seed in [_seed(sampling.seed, place, n)]
        ]

    def _replies(
        self, questions: Sequence[_Question], stop: Sequence[str]
    ) -> Generator[tuple[_Question, Reply], None, None]:
        """Pairs of question and reply, in the order in which they come."""
        many = self.reference.concurrency
        client = httpx.Client(
            headers={"Authorization": f"Bearer {self.key}"} if self.key else {},
            timeout=self.reference.timeout,
            limits=httpx.Limits(max_connections=many, max_keepalive_connections=many),
        )

        def reply(question: _Question, halt: Event) -> Reply:
            return self._reply(client, question, stop, halt)

        yield from at_once(questions, reply, many)
        client.close()

    def _reply(
        self, client: httpx.Client, question: _Question, stop: Sequence[str], halt: Event
    ) -> Reply:
        """The reply to one question, asked again for as long as that may help."""
        attempt = 0
        while not halt.wait(max(0.0, self.resume_at - time.monotonic())):
            said = self._try(client, question.body, stop)
            if isinstance(said, Reply):
                return said
            attempt += 1
            if attempt >= said.most_tries:
                raise NybbleError(
                    f"{self.reference.name}: prompt {question.place + 1} was not answered in "
                    f"{attempt} tries: {said.why}.",
                    "Run the same again later: answers that were kept are not asked anew. "
                    "#concurrency=2 asks fewer at once.",
                )
            with self.lock:
                self.bill.tried_again += 1
                if said.seconds is not None:
                    # All wait: the limit is the account's, not the request's.
                    self.resume_at = max(self.resume_at, time.monotonic() + said.seconds)
            if said.seconds is None:
                halt.wait(_pause(attempt))
        raise KeyboardInterrupt

    def _try(
        self, client: httpx.Client, body: dict[str, Any], stop: Sequence[str]
    ) -> "Reply | _Later":
        """The reply, or why to try again. Raises `NybbleError` for what no waiting cures."""
        url = self.reference.url + PATHS[self.reference.api]
        sent = {self.length_field if k == "max_tokens" else k: v for k, v in body.items()}
        try:
            response = client.post(url, json=sent)
        except httpx.ConnectError as error:
            return _Later(f"it cannot be reached ({error})", most_tries=3)
        except httpx.RequestError as error:
            return _Later(f"{type(error).__name__} {error}".strip())
        if response.is_success:
            return read_reply(response.content, stop) or _Later("its reply is not the protocol's")
        if response.status_code == 400 and "max_tokens" in sent and NEWER in response.text:
            self.length_field = NEWER
            return _Later("it wants the limit of tokens by another name", seconds=0)
        final = failure(self.reference, response.status_code, response.content, self.key)
        if final:
            raise final
        seconds = retry_after_seconds(response.headers)
        return _Later(f"HTTP {response.status_code}", seconds)


def _pause(attempt: int) -> float:
    """Seconds to wait after a try, the first being 1: longer each time, and random by a half."""
    longest = min(MOST_SECONDS, FIRST_SECONDS * 2 ** (attempt - 1))
    return float(longest * random.uniform(0.5, 1.0))


def _seed(seed: int, place: int, answer: int) -> int:
    """A seed for each answer of each prompt, as for local models; below 2^31."""
    said = f"answer {seed} {place} {answer}".encode()
    return int.from_bytes(hashlib.sha256(said).digest()[:4], "big") >> 1


def _kept_as(question: _Question, sampling: Sampling) -> tuple[Any, dict[str, Any]]:
    """A question's prompt and settings, as the cache knows them."""
    settings = dict(question.body)
    prompt = settings.pop("messages" if "messages" in settings else "prompt")
    if sampling.samples:
        settings |= {"place": question.place, "answer": question.answer}
    return prompt, settings
