"""Where the token is; never what it is."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from nybble.model.token_check import answer_finding, scope_finding, token_findings, token_place

SECRET = "hf_" + "a1B2" * 8


def test_a_variable_comes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert token_place({}, file) is None
    file.write_text(f"{SECRET}\n")
    assert token_place({}, file) == str(file)
    assert token_place({"HUGGING_FACE_HUB_TOKEN": SECRET}, file).endswith("HUB_TOKEN")
    both = {"HUGGING_FACE_HUB_TOKEN": SECRET, "HF_TOKEN": SECRET}
    assert token_place(both, file) == "the environment variable HF_TOKEN"


@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_token_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    assert token_place({"HF_TOKEN": content}, tmp_path / "token") is None


def test_without_a_token_there_is_a_thing_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    (found,) = token_findings({}, online=True)  # nothing to ask the Hub about
    assert (found.status, found.found) == ("note", "none")
    assert "hf auth login" in found.fix


def test_the_value_is_not_in_the_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = token_findings({"HF_TOKEN": SECRET}, online=False)
    assert found.status == "ok"
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"name": "me", "auth": {"accessToken": {"role": "write"}}}, "write, of me"),
        ({"name": "me", "auth": {"accessToken": {"role": "read"}}}, "cannot push"),
        ({"name": "me", "auth": {"accessToken": {"role": "fineGrained"}}}, "each repository"),
        ({"name": "me"}, "unknown, of me"),
        ({}, "unknown"),
    ],
)
def test_what_the_hub_says_of_a_token(answer: dict[str, object], text: str) -> None:
    assert text in answer_finding(answer).found


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A Hub of our own that answers `whoami` with the status that the list holds."""
    from huggingface_hub import constants, hf_api

    answers = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            granted = self.headers["Authorization"] == f"Bearer {SECRET}"
            self.send_response(answers[0] if granted else 401)
            self.end_headers()
            who = {"name": "me", "auth": {"accessToken": {"role": "read"}}}
            self.wfile.write(json.dumps(who).encode() if answers[0] == 200 else b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(hf_api.constants, "ENDPOINT", address)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    yield answers
    server.shutdown()


def test_the_hub_is_asked_over_http(hub: list[int]) -> None:
    assert scope_finding().found == "read, of me: fetches, cannot push"


def test_a_token_that_the_hub_does_not_accept(hub: list[int]) -> None:
    hub[0] = 401
    found = scope_finding()
    assert (found.status, bool(found.fix)) == ("note", True)
    assert SECRET not in str(found)


def test_the_env_file_comes_last(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"hf_token={SECRET}\n")
    place = token_place({}, tmp_path / "none", tmp_path / ".env")
    assert place == f"the file {tmp_path / '.env'}"
    assert token_place({"hf_token": SECRET}, tmp_path / "none").endswith("variable hf_token")
