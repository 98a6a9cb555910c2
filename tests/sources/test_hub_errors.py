"""Each of the Hub's errors as two lines that say what to do, and no token in them."""

import errno

import pytest
from huggingface_hub import errors as hub

from nybble.runs.errors import InputError
from nybble.sources.hub_errors import hub_errors

try:
    import httpx2 as httpx
except ModuleNotFoundError:  # huggingface_hub 1 is on httpx
    import httpx

TOKEN = "hf_" + "A1b2" * 8
URL = f"https://user:{TOKEN}@huggingface.co/api/models/me/model"


def answered(kind: type[hub.HfHubHTTPError], status: int) -> hub.HfHubHTTPError:
    """The error of that kind, as huggingface_hub raises it for an answer."""
    response = httpx.Response(status, request=httpx.Request("GET", URL))
    return kind(f"{status} for {URL} with {TOKEN}", response=response)


def in_the_cache(cause: Exception) -> Exception:
    """What snapshot_download raises when the Hub failed and the cache has nothing."""
    error = hub.LocalEntryNotFoundError(f"Got: {type(cause).__name__}\nAn error happened")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "message", "fix"),
    [
        (answered(hub.GatedRepoError, 403), "is gated", "https://huggingface.co/me/model"),
        (answered(hub.GatedRepoError, 401), "is gated", "hf auth login"),
        (answered(hub.RepositoryNotFoundError, 404), "has no model me/model", "spelling"),
        (answered(hub.RevisionNotFoundError, 404), "has no revision v9", "commit"),
        (answered(hub.HfHubHTTPError, 401), "does not accept your token", "HF_TOKEN"),
        (answered(hub.HfHubHTTPError, 403), "may not read", "settings/tokens"),
        (answered(hub.HfHubHTTPError, 503), "answered 503", "try again"),
        (in_the_cache(answered(hub.HfHubHTTPError, 429)), "answered 429", "try again"),
        (
            in_the_cache(httpx.ConnectError("refused")),
            "reached for the model me/model: refused",
            "",
        ),
        (in_the_cache(hub.OfflineModeIsEnabled("off")), "HF_HUB_OFFLINE forbids", "Unset"),
        (hub.LocalEntryNotFoundError("not cached"), "could not be reached", "local path"),
        (hub.FileMetadataError("no ETag"), "could not be reached", "network"),
        (hub.HFValidationError("no --"), "not the name of a repository", "owner/name"),
        (httpx.RemoteProtocolError(f"closed {URL}"), "could not be reached", "network"),
        (httpx.ReadTimeout(""), "reached for the model me/model: ReadTimeout.", "network"),
        (ConnectionResetError("reset"), "could not be reached", "network"),
        (TimeoutError("slow"), "could not be reached", "network"),
    ],
)
def test_said_in_two_lines(error: Exception, message: str, fix: str) -> None:
    with pytest.raises(InputError) as refused, hub_errors("me/model", "v9"):
        raise error
    assert message in refused.value.message
    assert fix in refused.value.fix
    assert len(str(refused.value).splitlines()) == 2
    assert TOKEN not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_gated_data_set_has_another_page() -> None:
    with pytest.raises(InputError) as refused, hub_errors("me/rows", "main", kind="dataset"):
        raise answered(hub.GatedRepoError, 403)
    assert "The dataset me/rows is gated" in refused.value.message
    assert "https://huggingface.co/datasets/me/rows" in refused.value.fix


def test_a_token_for_a_revision_is_masked() -> None:
    expected = pytest.raises(InputError, match=r"no revision \*\*\*")
    with expected as refused, hub_errors("me/model", TOKEN):
        raise answered(hub.RevisionNotFoundError, 404)
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize("error", [KeyError("x"), OSError(errno.ENOSPC, "full"), ValueError("y")])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, hub_errors("me/model", "main"):
        raise error
    assert raised.value is error
