"""Downloads over real HTTP from a Hub of our own, by the real huggingface_hub.

All calls to a Hub that answers share one process, and so do those to one that does not: importing
the libraries takes longer than all the rest.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import nybble.sources
from nybble.runs.errors import InputError
from nybble.sources.models import check_adapter, check_model

from .fake_hub import FakeHub, Repository, running
from .tiny import adapter_files, model_files, weights

pytestmark = pytest.mark.slow

TOKEN = "hf_" + "A1b2" * 8
# Over two of the client's blocks of 10 MiB: what it has not written it cannot resume from.
BIG = weights(3_000_000)
STRANGERS = {
    "pytorch_model.bin": b"pickle",
    "model.gguf": b"GGUF",
    "consolidated.safetensors": weights(),
    "original/params.json": b"{}",
    "modeling_mine.py": b"raise SystemExit('ran')",
    "README.md": b"# A model",
    "LICENSE.txt": b"as you like",
}
CARD = b"""---
configs:
- config_name: full
  data_files:
  - split: train
    path: full/*.csv
- config_name: tiny
  data_files:
  - split: test
    path: tiny/*.csv
---
"""
RECIPE = {
    "name": "from-the-hub",
    "model": {"base": "me/sharded", "adapter": "me/adapter"},
    "data": {"train": "me/rows", "validation": "me/cards:tiny#test", "test": 2},
}
REPOSITORIES = {
    "me/model": Repository(
        {
            "main": model_files() | STRANGERS,
            "v1": model_files() | STRANGERS | {"config.json": b'{"model_type": "older"}'},
        }
    ),
    "me/sharded": Repository({"main": model_files(shards=3)}),
    "me/cut": Repository(
        {"main": model_files() | {"model.safetensors": BIG}}, cut_once="model.safetensors"
    ),
    "me/reset": Repository(
        {"main": model_files() | {"model.safetensors": BIG}}, reset_once="model.safetensors"
    ),
    "me/forbidden": Repository({}, status=403, message="no read access"),
    "me/gated-rows": Repository(
        {"main": {"train.jsonl": b'{"a": 1}\n'}}, kind="datasets", gated_files=True
    ),
    "me/pickled": Repository({"main": {"config.json": b"{}", "pytorch_model.bin": b"P"}}),
    "me/gated": Repository({"main": model_files()}, gated_files=True),
    "me/hidden": Repository({"main": model_files()}, gated_info=True),
    "me/down": Repository({}, status=503, message=f"no {TOKEN}"),
    "me/expired": Repository({}, status=401, message="Invalid credentials in Authorization header"),
    "me/adapter": Repository(
        {
            "main": adapter_files() | {"optimizer.pt": b"pickle"},
            "v1": adapter_files() | {"README.md": b"# The first"},
        }
    ),
    "me/busy": Repository({"main": model_files()}, busy=2),
    "me/rows": Repository(
        {
            "main": {
                "data/train.jsonl": b'{"a": 1}\n{"a": 2}\n{"a": 3}\n',
                "data/test.jsonl": b'{"a": 4}\n',
                "rows.py": b"raise SystemExit('ran')",
            },
            "v1": {"train.csv": b"a\nold\n"},
        },
        kind="datasets",
    ),
    "me/cards": Repository(
        {"main": {"README.md": CARD, "full/a.csv": b"a\n5\n", "tiny/b.csv": b"a\n6\n"}},
        kind="datasets",
    ),
    "me/script": Repository({"main": {"script.py": b"", "README.md": b"# x"}}, kind="datasets"),
    "me/broken": Repository({"main": {"train.jsonl": b'{"a": 1}\n{"a'}}, kind="datasets"),
}
ONLINE: dict[str, list[Any]] = {
    "model": ["locate_model", "me/model", "main"],
    "older model with its code": ["locate_model", "me/model", "v1", True],
    "pinned in the name": ["locate_model", "hub:me/model@v1", "main"],
    "pinned adapter": ["find_adapter", "me/adapter@v1"],
    "pinned rows": ["load_rows", "me/rows@v1", "main", None],
    "too many requests": ["locate_model", "me/busy", "main"],
    "sharded": ["locate_model", "hub:me/sharded", "main"],
    "cut once": ["locate_model", "me/cut", "main"],
    "reset": ["locate_model", "me/reset", "main"],
    "forbidden": ["locate_model", "me/forbidden", "main"],
    "gated rows": ["load_rows", "me/gated-rows", "main", None],
    "no revision of rows": ["load_rows", "me/rows@v9", "main", None],
    "no adapter": ["find_adapter", "me/no-adapter"],
    "pickled": ["locate_model", "me/pickled", "main"],
    "adapter": ["locate_adapter", "me/adapter", "main"],
    "no model": ["locate_model", "me/nothing", "main"],
    "no revision": ["locate_model", "me/model", "v7"],
    "token as revision": ["locate_model", "me/model", TOKEN],
    "gated": ["locate_model", "me/gated", "main"],
    "gated and hidden": ["locate_model", "me/hidden", "main"],
    "down": ["locate_model", "me/down", "main"],
    "expired": ["locate_model", "me/expired", "main"],
    "rows": ["fetch_dataset", "me/rows", "main"],
    "older rows": ["fetch_dataset", "me/rows", "v1", None, "train"],
    "other split": ["fetch_dataset", "me/rows", "main", None, "test"],
    "two rows": ["load_rows", "me/rows", "main", 2],
    "too many rows": ["load_rows", "me/rows", "main", 9],
    "configuration and split": ["load_rows", "hub:me/cards:tiny#test", "main", None],
    "no data set": ["load_rows", "me/model", "main", None],
    "no split": ["load_rows", "me/rows#dev", "main", None],
    "no such configuration": ["load_rows", "me/cards:wide", "main", None],
    "several configurations": ["load_rows", "me/cards", "main", None],
    "script": ["load_rows", "me/script", "main", None],
    "broken": ["load_rows", "me/broken", "main", None],
    "recipe": ["fetch", RECIPE],
}
OFFLINE: dict[str, list[Any]] = {
    "cached model": ["locate_model", "me/model", "main"],
    "cached rows": ["load_rows", "me/rows", "main", 1],
    "new model": ["locate_model", "me/other", "main"],
    "half a model": ["locate_model", "me/gated", "main"],
}


@dataclass(frozen=True)
class Sessions:
    """What each call gave while the Hub answered, and while it did not; what the Hub was asked."""

    hub: FakeHub
    online: dict[str, dict[str, Any]]
    offline: dict[str, dict[str, Any]]
    text: str


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    home = tmp_path_factory.mktemp("hub")
    with running(REPOSITORIES) as hub:
        online, first = session(ONLINE, hub.url, home)
    # The server is gone, its port closed.
    offline, second = session(OFFLINE, hub.url, home)
    yield Sessions(hub, online, offline, first + second)


def session(
    calls: dict[str, list[Any]], url: str, home: Path
) -> tuple[dict[str, dict[str, Any]], str]:
    """The outcome of each call in a process of its own, and all that the process printed."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {
        **kept,
        "PYTHONPATH": str(Path(nybble.sources.__file__).parents[2]),
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("hub_session.py"))],
        input=json.dumps([[name, arguments] for name, *arguments in calls.values()]),
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout.splitlines()[-1])
    return dict(zip(calls, outcomes, strict=True)), done.stdout


def names(folder: str) -> set[str]:
    """The files below the folder, by their paths in it."""
    return {str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file()}


def test_a_model_without_pickles_code_or_copies(sessions: Sessions) -> None:
    folder = sessions.online["model"]["value"]
    assert names(folder) == {*model_files(), "README.md", "LICENSE.txt"}
    check_model(Path(folder))


def test_a_revision_is_what_was_there_then_and_code_comes_when_asked(sessions: Sessions) -> None:
    folder = sessions.online["older model with its code"]["value"]
    assert json.loads(Path(folder, "config.json").read_bytes()) == {"model_type": "older"}
    assert "modeling_mine.py" in names(folder)
    assert sessions.online["model"]["value"] != folder


def test_a_revision_in_the_name_pins_model_adapter_and_rows(sessions: Sessions) -> None:
    model = Path(sessions.online["pinned in the name"]["value"])
    assert json.loads((model / "config.json").read_bytes()) == {"model_type": "older"}
    adapter = Path(sessions.online["pinned adapter"]["value"])
    assert (adapter / "README.md").read_bytes() == b"# The first"
    assert sessions.online["pinned rows"] == {"value": [{"a": "old"}]}


def test_a_hub_that_asks_to_wait_is_waited_for(sessions: Sessions) -> None:
    check_model(Path(sessions.online["too many requests"]["value"]))
    assert sessions.text.count("too many requests: waiting 0 s") == 2


def test_nothing_else_is_ever_asked_for_and_no_telemetry(sessions: Sessions) -> None:
    for unwanted in (".bin", ".pt", ".gguf", "consolidated", "rows.py", "script.py"):
        assert sessions.hub.asked(unwanted) == []
    known = [part for name in (*REPOSITORIES, "me/n") for part in sessions.hub.asked(name)]
    assert set(sessions.hub.requests) == set(known)


def test_shards_and_adapter_are_whole(sessions: Sessions) -> None:
    check_model(Path(sessions.online["sharded"]["value"]))
    adapter = Path(sessions.online["adapter"]["value"])
    check_adapter(adapter)
    assert names(str(adapter)) == set(adapter_files())


def test_a_connection_that_breaks_is_taken_up_where_it_broke(sessions: Sessions) -> None:
    weights_file = Path(sessions.online["cut once"]["value"], "model.safetensors")
    assert weights_file.read_bytes() == BIG
    ranges = [asked[2] for asked in sessions.hub.asked("me/cut/resolve") if asked[2]]
    assert ranges == [f"bytes={10 * 2**20}-"]


def test_a_connection_that_is_reset_is_tried_again(sessions: Sessions) -> None:
    weights_file = Path(sessions.online["reset"]["value"], "model.safetensors")
    assert weights_file.read_bytes() == BIG
    assert "connection broke: trying again" in sessions.text


def test_a_model_of_pickles_is_refused(sessions: Sessions) -> None:
    with pytest.raises(InputError, match="has no weights"):
        check_model(Path(sessions.online["pickled"]["value"]))


@pytest.mark.parametrize(
    ("call", "message", "fix"),
    [
        ("no model", "no model me/nothing", "spelling"),
        ("no revision", "no revision v7", "branch"),
        ("token as revision", "no revision ***", "branch"),
        ("gated", "model me/gated is gated", "https://huggingface.co/me/gated, then log in"),
        ("gated and hidden", "model me/hidden is gated", "hf auth login"),
        ("down", "answered 503 for the model me/down", "try again"),
        ("forbidden", "may not read the model me/forbidden", "settings/tokens"),
        (
            "gated rows",
            "dataset me/gated-rows is gated",
            "https://huggingface.co/datasets/me/gated-",
        ),
        ("no revision of rows", "dataset me/rows has no revision v9", "branch"),
        ("no adapter", "no model me/no-adapter", "spelling"),
        ("expired", "does not accept your token", "HF_TOKEN"),
        ("no data set", "no dataset me/model", "spelling"),
        ("no split", "split dev of the dataset me/rows cannot be loaded", "me/rows#test"),
        ("no such configuration", "has no configuration wide", "full, tiny"),
        ("several configurations", "has several configurations", "me/cards:full"),
        ("script", "holds no Parquet, JSON or CSV files", "never run"),
        ("broken", "split train of the dataset me/broken cannot be loaded", "revision"),
    ],
)
def test_refusals(sessions: Sessions, call: str, message: str, fix: str) -> None:
    outcome = sessions.online[call]
    assert message in outcome["message"]
    assert fix in outcome["fix"]
    assert "\n" not in outcome["message"] + outcome["fix"]


def test_the_splits_there_are_get_named(sessions: Sessions) -> None:
    message = sessions.online["no split"]["message"]
    assert "train" in message and "test" in message


@pytest.mark.parametrize(
    ("call", "rows"),
    [
        ("rows", [{"a": 1}, {"a": 2}, {"a": 3}]),
        ("older rows", [{"a": "old"}]),
        ("other split", [{"a": 4}]),
        ("two rows", [{"a": 1}, {"a": 2}]),
        ("too many rows", [{"a": 1}, {"a": 2}, {"a": 3}]),
        ("configuration and split", [{"a": 6}]),
    ],
)
def test_rows(sessions: Sessions, call: str, rows: list[dict[str, Any]]) -> None:
    assert sessions.online[call] == {"value": rows}


def test_everything_a_recipe_names(sessions: Sessions) -> None:
    found = dict(sessions.online["recipe"]["value"])
    assert list(found) == ["model", "adapter", "train", "validation"]
    check_model(Path(found["model"]))
    check_adapter(Path(found["adapter"]))
    assert names(found["train"]) == {"data/train.jsonl", "data/test.jsonl"}
    assert names(found["validation"]) == {"README.md", "full/a.csv", "tiny/b.csv"}


def test_what_is_cached_needs_no_hub(sessions: Sessions) -> None:
    assert sessions.offline["cached model"] == sessions.online["model"]
    assert sessions.offline["cached rows"] == {"value": [{"a": 1}]}


@pytest.mark.parametrize("call", ["new model", "half a model"])
def test_what_is_not_cached_names_the_network(sessions: Sessions, call: str) -> None:
    assert "could not be reached" in sessions.offline[call]["message"]
    assert "network" in sessions.offline[call]["fix"]


def test_no_token_is_ever_shown(sessions: Sessions) -> None:
    assert TOKEN not in sessions.text
