import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.runs.secrets import MASK, masked

ALPHANUMERIC = st.text(string.ascii_letters + string.digits, min_size=16, max_size=40)


@given(before=st.text(), secret=ALPHANUMERIC, after=st.text())
def test_a_hugging_face_token_never_comes_out(before, secret, after):
    shown = masked(f"{before}hf_{secret}{after}")
    assert f"hf_{secret}" not in shown
    assert MASK in shown


@pytest.mark.parametrize("joined", ["token=hf_{}", "TOKENhf_{}", "_hf_{}", "éhf_{}", "hf_{}!"])
def test_a_token_is_found_whatever_it_touches(joined):
    assert masked(joined.format("a1B2" * 8)) == joined.replace("hf_{}", MASK)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefghijklmnop1234",
        "sk-proj-A_b-1234567890abcdef",
        "ghp_" + "a1" * 12,
        "ghs_" + "b2" * 12,
    ],
)
def test_tokens_of_other_services_are_masked(secret):
    assert masked(f"key {secret} end") == f"key {MASK} end"


def test_a_password_in_an_address_is_masked():
    assert masked("http://me:pa55@proxy:80/x") == f"http://me:{MASK}@proxy:80/x"
    key = "0123456789" * 4
    assert key not in masked(f"https://{key}@api.wandb.ai")


@pytest.mark.parametrize(
    "text",
    [
        "nothing to hide",
        "commit 5ba43fb0f0c1d2e3a4b5c6d7e8f9a0b1c2d3e4f5",
        "a task-force-of-many-people",
        "hf_short",
        "https://host:8080/path",
    ],
)
def test_harmless_text_stays_as_it_is(text):
    assert masked(text) == text


@given(st.text())
def test_masking_twice_changes_nothing_more(text):
    assert masked(masked(text)) == masked(text)
