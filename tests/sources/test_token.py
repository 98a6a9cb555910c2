"""Where the token is looked for, first to last."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from nybble.sources.token import VARIABLES, env_file_value, hub_token

SECRET = "hf_" + "a1B2" * 8


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "login"))
    monkeypatch.chdir(tmp_path)


def test_every_place_and_their_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert hub_token() is None
    (tmp_path / ".env").write_text("HF_TOKEN=of-the-file\n")
    assert hub_token() == "of-the-file"
    (tmp_path / "login").write_text("of-the-login\n")
    assert hub_token() == "of-the-login"
    monkeypatch.setenv("hf_token", "small")
    assert hub_token() == "small"
    monkeypatch.setenv("HF_TOKEN", "large")
    assert hub_token() == "large"


@pytest.mark.parametrize(
    "line",
    ["HF_TOKEN={}", "hf_token = '{}'", 'export HF_TOKEN="{}"', "  HF_TOKEN={}  # of mine",
     "OTHER=x\nHF_TOKEN={}\nMORE=y"],
)  # fmt: skip
def test_lines_of_an_env_file(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line.format(SECRET))
    assert env_file_value(tmp_path / ".env", VARIABLES) == SECRET


@pytest.mark.parametrize("content", [b"", b"HF_TOKEN=", b"# HF_TOKEN=x", b"MY_HF_TOKEN=x", b"\xff"])
def test_files_without_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert env_file_value(tmp_path / ".env", VARIABLES) is None
    assert env_file_value(tmp_path, VARIABLES) is None
