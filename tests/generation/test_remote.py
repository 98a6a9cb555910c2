"""Remote models, asked through a real server that misbehaves as its prompts say."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from nybble.generation import remote
from nybble.generation.cache import PredictionCache
from nybble.generation.remote import RemoteModel
from nybble.generation.remote_protocol import failure, read_reply
from nybble.generation.remote_reference import parse_remote
from nybble.generation.sampling import Sampling
from nybble.runs.errors import InputError, NybbleError

from ..local_server import Handler, serving

pytestmark = pytest.mark.slow
KEY = "sk-secret" + "a1B2" * 6
GREEDY = Sampling(max_new_tokens=5)
FINAL = {
    "unknown": (404, {"error": {"message": "no such model", "code": "model_not_found"}}),
    "quota": (429, {"error": {"message": "over it", "code": "insufficient_quota"}}),
    "unpaid": (402, {"error": "pay first"}),
    "denied": (401, {"error": {"message": f"Incorrect API key: {KEY}"}}),
    "long": (400, {"error": {"message": "4097 tokens are too many"}}),
    "moved": (308, {}),
}


class Server(Handler):
    """`hub.seen` counts each prompt's requests; the first word of a prompt says what happens."""

    def answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        hub, prompt = self.hub, said(body)
        with hub.lock:
            hub.seen[prompt] += 1
            hub.bodies.append((self.path, self.headers.get("Authorization"), body))
            hub.under_way += 1
            hub.most = max(hub.most, hub.under_way)
            tries = hub.seen[prompt]
        try:
            self.behave(prompt.split()[0], tries, body)
        finally:
            with hub.lock:
                hub.under_way -= 1

    def behave(self, word: str, tries: int, body: dict) -> None:
        if word in FINAL:
            status, error = FINAL[word]
            return self.reply(status, json.dumps(error).encode())
        if word == "newer" and "max_tokens" in body:
            error = {"error": {"message": "Use 'max_completion_tokens' instead."}}
            return self.reply(400, json.dumps(error).encode())
        if word == "hang":
            self.hub.halt.wait(30)
        if word == "busy":
            time.sleep(0.05)
        if tries == 1:
            if word == "limited":
                return self.reply(429, b"{}", {"Retry-After": "0.3"})
            if word == "broken":
                return self.reply(500, b"<html>oops</html>")
            if word == "drop":
                return self.connection.close()
            if word == "slow":
                self.hub.halt.wait(1.0)
            if word == "malformed":
                return self.reply(200, b'{"choices": [{"mess')
            if word == "other":
                return self.reply(200, b'{"choices": [{"message": {"content": ["x"]}}]}')
        if word == "never":
            return self.reply(503, b"")
        text = None if word == "nothing" else f"said to {said(body)}"
        choice = {"message": {"content": text}} if "messages" in body else {"text": text}
        usage = {"prompt_tokens": 10, "completion_tokens": 3}
        answer = {"choices": [choice]} | ({} if word == "untold" else {"usage": usage})
        self.reply(200, json.dumps(answer).encode())

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        with contextlib.suppress(OSError):  # whoever asked may have given up
            self.send(status, body, headers)

    def send(self, status: int, body: bytes, headers: dict[str, str] | None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def said(body: dict) -> str:
    return body["messages"][-1]["content"] if "messages" in body else body["prompt"]


@pytest.fixture
def hub():
    return SimpleNamespace(seen=Counter(), bodies=[], lock=threading.Lock(), under_way=0, most=0,
                           halt=threading.Event())  # fmt: skip


@pytest.fixture
def url(hub, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "FIRST_SECONDS", 0.01)
    with serving(Server, hub) as address:
        yield f"{address}/v1"
        hub.halt.set()


def asked(url: str, prompts, sampling=GREEDY, settings="", cache=None, each=1):
    model = RemoteModel(parse_remote(f"openai:org/big@{url}#{settings}"), cache)
    texts: list[list[str]] = [[] for _ in prompts]
    model.ask(prompts, sampling, lambda place, text: texts[place].append(text), each)
    return texts, model


MISBEHAVING = [
    "limited",
    "broken",
    "drop",
    "slow",
    "malformed",
    "other",
    "newer",
    "plain",
    "nothing",
]


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_every_prompt_is_answered_whatever_the_server_does(url, hub, api, concurrency) -> None:
    settings = f"api={api}&concurrency={concurrency}&timeout=0.4&input=2&output=10"
    texts, model = asked(url, MISBEHAVING * 2, settings=settings)
    assert texts == [["" if p == "nothing" else f"said to {p}"] for p in MISBEHAVING * 2]
    bill = model.bill
    assert (bill.asked, bill.prompt_tokens, bill.answer_tokens) == (18, 180, 54)
    assert bill.dollars(model.reference) == pytest.approx((180 * 2 + 54 * 10) / 1e6)
    assert {path for path, *_ in hub.bodies} == {
        "/v1/chat/completions" if api == "chat" else "/v1/completions"
    }
    assert bill.tried_again == len(hub.bodies) - 18 >= 7


def test_as_many_are_under_way_as_asked_for(url, hub) -> None:
    asked(url, [f"busy {n}" for n in range(12)], settings="concurrency=4")
    assert 2 <= hub.most <= 4


def test_after_a_limit_nobody_asks_before_the_server_said(url, hub) -> None:
    began = time.monotonic()
    asked(url, ["limited"])
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(
    ("word", "kind", "shown"),
    [
        ("unknown", InputError, "no such model"),
        ("quota", NybbleError, "the account's quota is used up: over it"),
        ("unpaid", NybbleError, "the account's quota is used up: pay first"),
        ("denied", InputError, "the key in API_KEY_127_0_0_1 is refused: Incorrect API key: ***"),
        ("long", InputError, "the request was refused: 4097 tokens are too many"),
        ("moved", InputError, "nothing is at"),
    ],
)
def test_what_no_waiting_cures_is_asked_once_and_said_in_two_lines(
    url, hub, monkeypatch, word, kind, shown
) -> None:
    monkeypatch.setenv("API_KEY_127_0_0_1", KEY)
    with pytest.raises(kind) as caught:
        asked(url, [word])
    assert shown in caught.value.message
    assert len(str(caught.value).splitlines()) == 2
    assert KEY not in str(caught.value) and "***" not in caught.value.fix
    assert hub.seen[word] == 1


def test_without_a_key_the_error_names_its_variable(url, monkeypatch) -> None:
    monkeypatch.delenv("API_KEY_127_0_0_1", raising=False)
    with pytest.raises(InputError, match="there is no key in API_KEY_127_0_0_1") as caught:
        asked(url, ["denied"])
    assert caught.value.fix == "Set API_KEY_127_0_0_1, or write it into .env."


def test_a_server_that_never_answers_is_given_up(url, hub) -> None:
    with pytest.raises(NybbleError, match=r"prompt 1 was not answered in 8 tries: HTTP 503\."):
        asked(url, ["never"])
    assert hub.seen["never"] == remote.MOST_TRIES


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(NybbleError, match=r"not answered in 3 tries: it cannot be reached"):
        asked("http://127.0.0.1:9/v1", ["plain"])


def test_the_key_goes_into_the_header_and_nowhere_else(
    url, hub, monkeypatch, tmp_path, caplog, capfd
) -> None:
    caplog.set_level("DEBUG")
    (tmp_path / ".env").write_text(f"API_KEY_127_0_0_1='{KEY}'\n")
    cache = PredictionCache(tmp_path / "answers.jsonl")
    asked(url, ["plain", "broken"], cache=cache)
    assert {key for _, key, _ in hub.bodies} == {f"Bearer {KEY}"}
    shown = "".join(capfd.readouterr()) + caplog.text + cache.path.read_text()
    assert KEY not in shown + json.dumps([body for *_, body in hub.bodies])
    monkeypatch.setenv("API_KEY_127_0_0_1", "of-the-environment")
    asked(url, ["later"])
    assert hub.bodies[-1][1] == "Bearer of-the-environment"


def test_nothing_is_paid_for_twice(url, hub, tmp_path) -> None:
    def cache() -> PredictionCache:
        return PredictionCache(tmp_path / "answers.jsonl")

    with pytest.raises(InputError):
        asked(url, ["a", "b", "long", "c"], settings="concurrency=1", cache=cache())
    texts, model = asked(url, ["a", "b", "c"], cache=cache())
    assert texts == [["said to a"], ["said to b"], ["said to c"]]
    assert (model.bill.remembered, model.bill.asked, model.bill.prompt_tokens) == (2, 1, 30)
    assert hub.seen == Counter({"a": 1, "b": 1, "c": 1, "long": 1})
    asked(url, ["a"], Sampling(max_new_tokens=6), cache=cache())
    asked(url, [[{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]],
          cache=cache())  # fmt: skip
    asked(url, ["a"], settings="api=completions", cache=cache())
    assert hub.seen["a"] == 4
    asked(url, ["a"], settings="concurrency=2&input=1&output=2&timeout=9", cache=cache())
    assert hub.seen["a"] == 4


def test_each_of_several_answers_has_a_seed_of_its_own(url, hub, tmp_path) -> None:
    cache = PredictionCache(tmp_path / "answers.jsonl")
    sampling = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=5, stop=("END",))
    texts, _ = asked(url, ["plain", "plain"], sampling, each=3, cache=cache)
    assert [len(each) for each in texts] == [3, 3]
    bodies = [body for *_, body in hub.bodies]
    assert len({body["seed"] for body in bodies}) == 6
    assert all(0 <= body["seed"] < 2**31 for body in bodies)
    wanted = {"model": "org/big", "temperature": 0.7, "top_p": 0.9, "stop": ["END"],
              "max_tokens": 5}  # fmt: skip
    assert all(wanted.items() <= body.items() for body in bodies)
    again, model = asked(url, ["plain", "plain"], sampling, each=3, cache=cache)
    assert again == texts and model.bill.asked == 0


def test_a_greedy_request_says_so_and_omits_what_it_is_told_to(url, hub) -> None:
    asked(url, ["plain"], settings="omit=temperature&max_tokens=900")
    assert hub.bodies[0][2] == {
        "model": "org/big", "messages": [{"role": "user", "content": "plain"}], "max_tokens": 900,
    }  # fmt: skip
    asked(url, ["plain"])
    assert hub.bodies[1][2]["temperature"] == 0


def test_a_stop_string_cuts_even_where_the_server_did_not_heed_it(url) -> None:
    texts, _ = asked(url, ["one two"], Sampling(stop=(" tw", "zz")))
    assert texts == [["said to one"]]


def test_without_prices_or_counts_no_cost_is_made_up(url) -> None:
    _, model = asked(url, ["plain"], settings="input=1")
    assert model.bill.dollars(model.reference) is None
    _, model = asked(url, ["plain", "untold"], settings="input=1&output=1")
    assert model.bill.uncounted == 1
    assert model.bill.dollars(model.reference) is None


@pytest.mark.parametrize(
    "setting",
    [{"beams": 2}, {"min_new_tokens": 1}, {"repetition_penalty": 1.1},
     {"temperature": 0.5, "top_k": 3}, {"stop": tuple("abcde")}],
)  # fmt: skip
def test_what_the_protocol_has_no_field_for_is_refused_before_anything_is_sent(
    url, hub, setting
) -> None:
    with pytest.raises(InputError):
        asked(url, ["plain"], Sampling(**setting))
    assert not hub.bodies


# A shell ignores SIGINT for what it runs in the background, and so would all below it.
SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from nybble.generation.remote import RemoteModel
from nybble.generation.remote_protocol import failure, read_reply
from nybble.generation.remote_reference import parse_remote
from nybble.generation.sampling import Sampling
model = RemoteModel(parse_remote(f"openai:m@{sys.argv[1]}#concurrency=3"))
try:
    model.ask(["plain", *["hang"] * 5], Sampling(), lambda *said: print(*said, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_an_interrupt_ends_at_once_though_the_server_is_silent(url, hub) -> None:
    asking = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=os.environ,
    )  # fmt: skip
    assert asking.stdout is not None
    assert asking.stdout.readline() == "0 said to plain\n"
    while hub.seen["hang"] < 3:
        time.sleep(0.01)
    asking.send_signal(signal.SIGINT)
    out, err = asking.communicate(timeout=10)  # the server would hang for 30 s
    assert (out, err, asking.returncode) == ("interrupted\n", "", 0)
    assert hub.seen["hang"] == 3


def test_a_reply_that_is_nested_without_end_is_none_of_the_protocol() -> None:
    deep = b"[" * 200_000
    assert read_reply(deep, ()) is None
    assert "was refused" in str(failure(parse_remote("openai:m"), 400, deep, None))
