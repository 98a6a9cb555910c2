"""Which remote model is meant, and how it is asked.

    openai:MODEL                        at OpenAI itself
    openai:MODEL@https://HOST/v1        at any server that speaks OpenAI's protocol
    openai:MODEL#input=0.1&output=0.4   with settings: here dollars per million tokens

A key goes to the host that it is for and nowhere else: its variable is named after the host.
"""

import re
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nybble.runs.errors import InputError
from nybble.runs.secrets import masked
from nybble.sources.token import ENV_FILE, env_file_value, environment_value

SCHEME = "openai:"
OPENAI = "https://api.openai.com/v1"
APIS = ("chat", "completions")
# Of the hosts that name a variable in their own documentation.
KEY_VARIABLES = {
    "api.openai.com": "OPENAI_API_KEY",
    "api.anthropic.com": "ANTHROPIC_API_KEY",
    "api.deepseek.com": "DEEPSEEK_API_KEY",
    "api.groq.com": "GROQ_API_KEY",
    "api.mistral.ai": "MISTRAL_API_KEY",
    "api.together.xyz": "TOGETHER_API_KEY",
    "generativelanguage.googleapis.com": "GEMINI_API_KEY",
    "openrouter.ai": "OPENROUTER_API_KEY",
}
LOCAL = ("localhost", "127.0.0.1", "::1")
_FORM = re.compile(r"openai:(?P<model>[^#]+?)(@(?P<url>https?://[^#\s]+))?(#(?P<settings>.*))?")
# A model's name does not end like this: an address without https://, which else would be taken for
# a model of OpenAI, and what is asked be sent there.
_ADDRESS = re.compile(r".@(localhost|[^@]*[:/])")
_HOW = "Write openai:MODEL or openai:MODEL@https://HOST/v1."


@dataclass(frozen=True)
class RemoteReference:
    """`model` at `url`, asked through `api`: chat, or plain completions.

    `input` and `output` are dollars per million tokens, None where not given. `concurrency`
    requests are under way at once; each may be silent for `timeout` seconds. `max_tokens` replaces
    the task's own, for models that think before they answer; `omit` names fields of a request that
    the server does not take.
    """

    model: str
    url: str = OPENAI
    api: str = "chat"
    input: float | None = None
    output: float | None = None
    concurrency: int = 8
    timeout: float = 120.0
    max_tokens: int | None = None
    omit: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def name(self) -> str:
        """How it is shown: without settings, and without the URL where that is OpenAI's."""
        return f"{SCHEME}{self.model}" + ("" if self.url == OPENAI else f"@{masked(self.url)}")

    @property
    def key_variable(self) -> str:
        """OPENAI_API_KEY at OpenAI; API_KEY_MY_HOST_ORG at my-host.org."""
        own = "API_KEY_" + re.sub(r"\W", "_", self.host).upper()
        return KEY_VARIABLES.get(self.host, own)

    def key(self) -> str | None:
        """The key, of the environment or else of .env; None where there is none.

        Raises `InputError` where it would be sent over a network in the clear, or cannot be sent.
        """
        names = [self.key_variable]
        found = environment_value(names) or env_file_value(ENV_FILE, names)
        if found and self.url.startswith("http://") and self.host not in LOCAL:
            raise InputError(
                f"{self.name}: {self.key_variable} would be sent over http, for all to read.",
                "Name the server with https://, or unset the key.",
            )
        if found and not (found.isascii() and found.isprintable()):
            raise InputError(
                f"{self.name}: {self.key_variable} holds a character that no key has.",
                "Copy the key again.",
            )
        return found


def is_remote(text: str) -> bool:
    """Whether `text` means a remote model, right or wrong."""
    return text.startswith(SCHEME)


def parse_remote(text: str) -> RemoteReference:
    """What `text` means. Raises `InputError` naming the part that is wrong; nothing is sent."""
    match = _FORM.fullmatch(text)
    if match is None or match["model"].startswith("@http") or _ADDRESS.search(match["model"]):
        raise InputError(f"{masked(text)!r} names no remote model.", _HOW)
    url = (match["url"] or OPENAI).rstrip("/")
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise InputError(
            f"{masked(text)}: a URL is written into files, so no secret may be in it.",
            "Put the key into the environment or into .env.",
        )
    if parts.query or "@" in parts.path or not parts.hostname:
        raise InputError(f"{masked(text)}: {url} is no address of a server.", _HOW)
    reference = RemoteReference(match["model"], url)
    given = parse_qsl(match["settings"] or "", keep_blank_values=True)
    return replace(reference, **dict(_setting(text, name, value) for name, value in given))


def _setting(text: str, name: str, value: str) -> tuple[str, Any]:
    if name not in _SETTINGS:
        raise InputError(
            f"{masked(text)}: there is no setting {name!r}.", f"Known: {', '.join(_SETTINGS)}."
        )
    read, good, range_ = _SETTINGS[name]
    try:
        found = read(value)
    except ValueError:
        found = None
    if found is None or not good(found):
        raise InputError(f"{masked(text)}: {name} = {value!r}.", f"It must be {range_}.")
    return name, found


_PRICE = (float, lambda dollars: 0 <= dollars < 1e6, "dollars per million tokens")
_SETTINGS: dict[str, tuple[Any, Any, str]] = {
    "api": (str, APIS.__contains__, " or ".join(APIS)),
    "input": _PRICE,
    "output": _PRICE,
    "concurrency": (int, lambda n: 1 <= n <= 256, "from 1 to 256"),
    "timeout": (float, lambda seconds: 0 < seconds <= 3600, "seconds, at most 3600"),
    "max_tokens": (int, lambda n: n >= 1, "at least 1"),
    "omit": (
        lambda names: tuple(names.split(",")),
        lambda names: {"temperature", "top_p", "seed", "stop", "max_tokens"} >= set(names),
        "some of temperature,top_p,seed,stop,max_tokens",
    ),
}
