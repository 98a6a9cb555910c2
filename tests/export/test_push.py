"""Uploads over real HTTP to a Hub of our own, by the real huggingface_hub."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

import nybble
from nybble.export.push import check_name, what_to_push
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

from .upload_hub import Uploaded, UploadHub, running

TOKEN = "hf_" + "A1b2" * 8
WEIGHTS = save({"a": np.arange(6, dtype=np.float32)}, metadata={"format": "pt"})
CONFIG = {"peft_type": "LORA", "base_model_name_or_path": "/home/alice/models/mini"}
MERGED = {"dtype": "bfloat16", "n": 200, "texts_equal": 197, "base": "/home/alice/models/mini",
          "kl_nats": {"value": 4.7e-6, "low": 4.1e-6, "high": 5.6e-6}}  # fmt: skip


@pytest.fixture
def run(make_run) -> RunFolder:
    """A run with an adapter and a merged model."""
    folder = make_run()
    files = {"adapter_config.json": CONFIG, "generation_config.json": {"eos_token_id": [2]},
             "tokenizer.json": {}, "tokenizer_config.json": {}}  # fmt: skip
    merged = folder.path / "merged"
    merged.mkdir()
    for name, content in files.items():
        (folder.adapter / name).write_text(json.dumps(content))
    (folder.adapter / "adapter_model.safetensors").write_bytes(WEIGHTS)
    for name, content in {"config.json": {}, "tokenizer.json": {}, "merge.json": MERGED}.items():
        (merged / name).write_text(json.dumps(content))
    (merged / "model.safetensors").write_bytes(WEIGHTS)
    return folder


@pytest.fixture
def hub():
    with running(UploadHub(TOKEN, "me")) as server:
        yield server


@pytest.fixture
def push(run, tmp_path):
    """Pushes in a process of its own; gives the outcome and all that was printed."""

    def call(url: str, to="me/price", merged=False, private=True, revision="main", **more: str):
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        environment = {
            **kept,
            "PYTHONPATH": str(Path(nybble.__file__).parents[1]),
            "HF_ENDPOINT": url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_TOKEN": TOKEN,
            **more,
        }
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("push_session.py"))],
            input=json.dumps([str(run.path), to, merged, private, revision]),
            env={name: value for name, value in environment.items() if value},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert TOKEN not in done.stdout + done.stderr
        outcome = json.loads(done.stdout.splitlines()[-1])
        assert outcome.pop("heavy") == []
        return outcome

    return call


@pytest.mark.slow
def test_the_adapter_goes_up_with_its_card_private(push, hub, run) -> None:
    assert push(hub.url) == {"value": f"{hub.url}/me/price"}
    repository = hub.repositories["me/price"]
    assert repository.private
    files = repository.branches["main"]
    assert files.keys() == {"README.md", *(path.name for path in run.adapter.iterdir())}
    assert files["adapter_model.safetensors"] == WEIGHTS
    assert b"library_name: peft" in files["README.md"] and b"me/price" in files["README.md"]
    assert [path for method, path in hub.requests if method == "PUT"]  # through LFS


@pytest.mark.slow
def test_no_path_of_this_machine_goes_up_and_the_run_is_untouched(push, hub, run) -> None:
    before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    push(hub.url)
    files = hub.repositories["me/price"].branches["main"]
    assert not [name for name, content in files.items() if b"alice" in content]
    config = json.loads(files["adapter_config.json"])
    assert config == CONFIG | {"base_model_name_or_path": "bundled:mini"}
    assert before == {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_the_merged_model_goes_up_in_its_place(push, hub) -> None:
    push(hub.url, merged=True, private=False)
    repository = hub.repositories["me/price"]
    assert not repository.private
    files = repository.branches["main"]
    assert files.keys() == {"README.md", "config.json", "tokenizer.json", "model.safetensors"}
    assert b"library_name: transformers" in files["README.md"]
    assert b"197 of 200" in files["README.md"]


@pytest.mark.slow
def test_a_revision_is_a_branch_of_its_own(push, hub) -> None:
    push(hub.url, revision="v2")
    branches = hub.repositories["me/price"].branches
    assert branches["main"] == {} and "adapter_model.safetensors" in branches["v2"]


@pytest.mark.slow
def test_pushing_again_replaces_files(push, hub, run) -> None:
    push(hub.url)
    (run.adapter / "tokenizer.json").write_text('{"new": 1}')
    push(hub.url)
    assert hub.repositories["me/price"].branches["main"]["tokenizer.json"] == b'{"new": 1}'


@pytest.mark.slow
def test_what_is_meant_to_be_private_is_not_put_where_all_see_it(push, hub) -> None:
    hub.repositories["me/price"] = Uploaded(private=False)
    told = push(hub.url)
    assert "there already, and public" in told["message"] and "--public" in told["fix"]
    assert hub.repositories["me/price"].branches["main"] == {}
    assert "value" in push(hub.url, private=False)


@pytest.mark.slow
def test_an_upload_that_breaks_off_is_taken_up_and_nothing_is_sent_twice(push, hub) -> None:
    hub.put_drops = 1
    hub.drops = 1
    told = push(hub.url)
    assert "could not be reached" in told["message"] and "not sent twice" in told["fix"]
    sent = [path for method, path in hub.requests if method == "PUT"]
    assert len(sent) == 2 and len(set(sent)) == 1  # broken off once, then whole
    assert push(hub.url) == {"value": f"{hub.url}/me/price"}
    assert [path for method, path in hub.requests if method == "PUT"] == sent
    files = hub.repositories["me/price"].branches["main"]
    assert files["adapter_model.safetensors"] == WEIGHTS


@pytest.mark.slow
def test_a_hub_in_haste_is_waited_for_at_every_question(push, hub) -> None:
    hub.hasty = True
    assert push(hub.url, revision="v2") == {"value": f"{hub.url}/me/price"}
    assert "adapter_model.safetensors" in hub.repositories["me/price"].branches["v2"]


def test_no_token(push, hub) -> None:
    told = push(hub.url, HF_TOKEN="")
    assert "no Hugging Face token" in told["message"] and "hf auth login" in told["fix"]
    assert hub.requests == []


@pytest.mark.slow
def test_the_token_of_the_login_is_taken(push, hub, tmp_path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(TOKEN)
    assert "value" in push(hub.url, HF_TOKEN="")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message", "fix"),
    [
        ({"HF_TOKEN": "hf_" + "Zz09" * 8}, "does not accept your token", "hf auth login"),
        ({"to": "somebody/price"}, "may not write to somebody/price: You don't have", "your own"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids", "Unset"),
        ({"url": "http://127.0.0.1:9"}, "could not be reached", "network"),
    ],
)
def test_refusals_are_two_lines(push, hub, change, message, fix) -> None:
    told = push(**({"url": hub.url} | change))
    assert message in told["message"] and fix in told["fix"] and told["exit"] == 2
    assert "\n" not in told["message"] + told["fix"]
    assert "Zz09" not in json.dumps(told)
    assert hub.repositories == {}


@pytest.mark.slow
def test_a_token_that_may_only_read(push, hub) -> None:
    hub.status, hub.message = 403, f"{TOKEN} has no write access"
    told = push(hub.url)
    assert "may not write to me/price" in told["message"] and "write access" in told["fix"]


@pytest.mark.parametrize("name", ["price", "me/price/more", "me/pri ce", "", "me/rows#train"])
def test_what_is_no_repositorys_name(name) -> None:
    with pytest.raises(InputError, match=r"not the name of a"):
        check_name(name)


def test_nothing_to_push(run) -> None:
    (run.path / "merged" / "merge.json").unlink()
    with pytest.raises(InputError, match="no merged model"):
        what_to_push(run, True)
    (run.adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match="no weights"):
        what_to_push(run, False)
    for path in run.adapter.iterdir():
        path.unlink()
    run.adapter.rmdir()
    with pytest.raises(InputError, match="is not trained yet"):
        what_to_push(run, False)
