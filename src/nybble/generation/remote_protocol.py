"""OpenAI's protocol: what is sent, how a reply is read, and which failures pass by waiting."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nybble.generation.remote_reference import RemoteReference
from nybble.generation.sampling import Sampling, option
from nybble.runs.errors import InputError, NybbleError
from nybble.runs.secrets import MASK, masked

Turns = Sequence[Mapping[str, str]]
PATHS = {"chat": "/chat/completions", "completions": "/completions"}
PASSING = (408, 409, 425, 429)  # and all from 500 on
MOST_STOPS = 4
_QUOTA = ("insufficient_quota", "billing", "credit", "balance")


@dataclass(frozen=True)
class Reply:
    """An answer and the tokens that it was charged as; None where the server does not say."""

    text: str
    prompt_tokens: int | None
    answer_tokens: int | None


def refuse_settings(reference: RemoteReference, sampling: Sampling) -> None:
    """Raise `InputError` for what the protocol has no field for."""
    plain = Sampling()
    for name in ("top_k", "repetition_penalty", "min_new_tokens", "beams"):
        if getattr(sampling, name) != getattr(plain, name):
            raise InputError(
                f"{reference.name}: a remote model takes no {option(name)}.", "Leave it out."
            )
    if len(sampling.stop) > MOST_STOPS:
        raise InputError(
            f"{reference.name}: {len(sampling.stop)} stop strings, but at most {MOST_STOPS} can be "
            "sent.",
            "Leave some out.",
        )


def request(
    reference: RemoteReference, prompt: str | Turns, sampling: Sampling, seed: int
) -> dict[str, Any]:
    """The body of a request. `prompt` is a text or, for chat, the turns of a conversation."""
    fields: dict[str, Any] = {"temperature": sampling.temperature}
    if sampling.top_p < 1:
        fields["top_p"] = sampling.top_p
    if sampling.samples:
        fields["seed"] = seed
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    fields["max_tokens"] = reference.max_tokens or sampling.max_new_tokens
    fields = {name: value for name, value in fields.items() if name not in reference.omit}
    if reference.api == "chat":
        turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        return {"model": reference.model, "messages": turns, **fields}
    if not isinstance(prompt, str):
        raise InputError(
            f"{reference.name}: a conversation cannot be sent as a plain completion.",
            "Leave out api=completions.",
        )
    return {"model": reference.model, "prompt": prompt, **fields}


def read_reply(body: bytes, stop: Sequence[str]) -> Reply | None:
    """The reply in a response's body; None where it is not what the protocol says."""
    try:
        said = json.loads(body)
        choice = said["choices"][0]
        text = choice["message"]["content"] if "message" in choice else choice["text"]
        usage = said.get("usage") or {}
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not (text is None or isinstance(text, str)):
        return None
    text = text or ""
    # Not every server that takes stop strings heeds them.
    text = text[: min((at for s in stop if (at := text.find(s)) >= 0), default=None)]
    prompt, answer = (count if isinstance(count, int) else None for count in counts)
    return Reply(text, prompt, answer)


def failure(
    reference: RemoteReference, status: int, body: bytes, key: str | None
) -> NybbleError | None:
    """Why a response with `status` is final; None where the same request may yet succeed."""
    said, code = _said(body, key)
    who = f"{reference.name} (HTTP {status})"
    if status == 402 or (status in (403, 429) and any(word in code for word in _QUOTA)):
        return NybbleError(
            f"{who}: the account's quota is used up: {said}",
            "Top it up and run the same again: answers that were kept are not asked anew.",
        )
    if status in PASSING or status >= 500:
        return None
    if status in (401, 403):
        variable = reference.key_variable
        have = f"the key in {variable} is refused" if key else f"there is no key in {variable}"
        return InputError(f"{who}: {have}: {said}", f"Set {variable}, or write it into .env.")
    if status == 404 or 300 <= status < 400:
        return InputError(
            f"{who}: nothing is at {reference.url}{PATHS[reference.api]}, or there is no such "
            f"model: {said}",
            "Check the model's name and the URL, which mostly ends in /v1.",
        )
    return InputError(
        f"{who}: the request was refused: {said}",
        "Where a field is not taken, leave it out with #omit=FIELD; where a prompt is too long, "
        "shorten it.",
    )


def _said(body: bytes, key: str | None) -> tuple[str, str]:
    """What the server says is wrong, without the key, and its kind in small letters."""
    try:
        error = json.loads(body)["error"]
        said = str(error["message"]) if isinstance(error, dict) else str(error)
        kinds = [error.get("code"), error.get("type")] if isinstance(error, dict) else []
    except (ValueError, LookupError, TypeError, RecursionError):
        said, kinds = body[:300].decode("utf-8", "replace").strip() or "no reason given", []
    if key:
        said = said.replace(key, MASK)
    return masked(" ".join(said.split()))[:200], " ".join(map(str, kinds)).lower()
