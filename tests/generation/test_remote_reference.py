import pytest

from nybble.generation.remote_reference import OPENAI, RemoteReference, is_remote, parse_remote
from nybble.runs.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai:gpt-4.1-nano", RemoteReference("gpt-4.1-nano")),
        ("openai:claude@20250101", RemoteReference("claude@20250101")),
        (
            "openai:org/model:free@https://openrouter.ai/api/v1/",
            RemoteReference("org/model:free", "https://openrouter.ai/api/v1"),
        ),
        ("openai:@cf/llama@http://[::1]:80/v1", RemoteReference("@cf/llama", "http://[::1]:80/v1")),
        (
            "openai:m#input=0.1&output=.4&concurrency=16&timeout=9&api=completions",
            RemoteReference("m", OPENAI, "completions", 0.1, 0.4, 16, 9.0),
        ),
        (
            "openai:o@https://h/v1#max_tokens=900&omit=temperature,seed",
            RemoteReference("o", "https://h/v1", max_tokens=900, omit=("temperature", "seed")),
        ),
    ],
)
def test_what_a_reference_means(text, expected) -> None:
    assert is_remote(text)
    assert parse_remote(text) == expected
    assert parse_remote(expected.name) == RemoteReference(expected.model, expected.url)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("openai:", "names no remote model"),
        ("openai:@https://h/v1", "names no remote model"),
        ("openai:a@https://h/v1@https://i/v1", "is no address of a server"),
        ("openai:m@https://user:word@h/v1", "no secret may be in it"),
        ("openai:m@https://h/v1?key=x", "is no address of a server"),
        ("openai:m@ftp://h/v1", "names no remote model"),
        ("openai:m@localhost:8000/v1", "names no remote model"),
        ("openai:m@my-host.org/v1#input=1", "names no remote model"),
        ("openai:m#speed=9", "there is no setting 'speed'"),
        ("openai:m#input=cheap", "input = 'cheap'"),
        ("openai:m#input=nan", "input = 'nan'"),
        ("openai:m#concurrency=0", "concurrency = '0'"),
        ("openai:m#api=soap", "api = 'soap'"),
        ("openai:m#omit=messages", "omit = 'messages'"),
    ],
)
def test_what_is_wrong_is_named(text, shown) -> None:
    with pytest.raises(InputError) as caught:
        parse_remote(text)
    assert shown in caught.value.message
    assert "word" not in str(caught.value)


def test_a_key_is_for_one_host_and_never_sent_in_the_clear(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    assert parse_remote("openai:m").key() == "mine"
    for elsewhere in ("https://openai.example/v1", "https://api.openai.com.evil.example/v1"):
        assert parse_remote(f"openai:m@{elsewhere}").key() is None
    own = "API_KEY_MY_HOST_ORG"
    monkeypatch.setenv(own, "theirs")
    assert parse_remote("openai:m@https://my-host.org:8000/v1").key() == "theirs"
    with pytest.raises(InputError, match=f"{own} would be sent over http"):
        parse_remote("openai:m@http://my-host.org/v1").key()
    monkeypatch.setenv("API_KEY_LOCALHOST", "here")
    assert parse_remote("openai:m@http://localhost:8000/v1").key() == "here"


@pytest.mark.parametrize("key", ["sk-1234…", "sk-12\n34"])
def test_a_key_that_cannot_be_sent_is_told_and_not_shown(monkeypatch, tmp_path, key) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InputError, match="OPENAI_API_KEY holds a character") as caught:
        parse_remote("openai:m").key()
    assert "12" not in f"{caught.value.message} {caught.value.fix}"
