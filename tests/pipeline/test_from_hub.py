"""A run that is published while it trains, and gone on with from the Hub, over real HTTP."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import nybble
from nybble.export import publish
from nybble.pipeline.from_hub import fetch_run, run_here
from nybble.pipeline.run import resume
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

from ..export.upload_hub import UploadHub
from ..export.upload_hub import running as uploading
from ..hub_here import use_hub
from ..sources.fake_hub import FakeHub, Repository
from ..sources.fake_hub import running as downloading

pytestmark = pytest.mark.slow
TOKEN = "hf_" + "A1b2" * 8
NAME = "me/price-lite"
SHORT = ["train.max_steps=6", "train.save_steps=2", "data.limit=200", "data.validation=10",
         "data.test=20", "evaluate.size=0", "train.batch_size=4",
         f"publish.hub={NAME}"]  # fmt: skip
ADAPTER = "adapter_model.safetensors"


@dataclass
class Published:
    """The run's folder, what went up in each commit, and what was printed."""

    run: Path
    commits: list[dict[str, bytes]]
    private: bool
    text: str


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """A run of six steps, saved every two, over connections that break and a Hub in haste."""
    home = tmp_path_factory.mktemp("published")
    lines: list[str] = []
    with (
        uploading(UploadHub(TOKEN, "me", drops=2, busy=1)) as hub,
        pytest.MonkeyPatch.context() as p,
    ):
        use_hub(p, hub.url, home / "hub", TOKEN)
        p.setattr(publish, "FIRST_SECONDS", 0.01)
        p.setattr(publish, "GRACE_SECONDS", 60.0)
        p.setattr("builtins.print", lambda *a, **_: lines.append(" ".join(map(str, a))))
        saved = publish.Publisher.saved

        def saved_and_through(self: publish.Publisher, step: int, checkpoint: Path) -> None:
            """Each save is pushed before the next comes: which ones wait is no matter of chance."""
            saved(self, step, checkpoint)
            with self._changed:
                self._changed.wait_for(lambda: not self._busy and self._waiting is None, 60)

        p.setattr(publish.Publisher, "saved", saved_and_through)
        run = nybble.run("price-demo", output=home / "run", overrides=SHORT)
    repository = hub.repositories[NAME]
    yield Published(run, repository.commits, repository.private, "\n".join(lines))


@pytest.fixture
def hub(published: Published, tmp_path: Path, monkeypatch) -> Iterator[FakeHub]:
    """A Hub with every commit of it, on a machine that has nothing of the run."""
    second, last = published.commits[1], published.commits[-1]
    revisions = {"main": last, "step-4": second, "step-2": published.commits[0]}
    repositories = {NAME: Repository(revisions), "me/plain": Repository({"main": {"a.json": b""}})}
    monkeypatch.chdir(tmp_path)
    with downloading(repositories) as server:
        use_hub(monkeypatch, server.url, tmp_path / "hub", TOKEN)
        yield server


def test_every_save_and_the_end_are_pushed_private_in_spite_of_broken_connections(
    published,
) -> None:
    assert published.private
    steps = [sorted(name.split("/")[2] for name in files if name.endswith("trainer_state.json"))
             for files in published.commits]  # fmt: skip
    assert steps == [["checkpoint-2"], ["checkpoint-4"], []]
    assert published.commits[-1][ADAPTER] == (published.run / "adapter" / ADAPTER).read_bytes()
    assert published.text.count("not pushed, again in") == 2
    assert published.text.count("too many requests") == 1
    assert not list(published.run.glob(".partial-*"))


def test_the_card_says_where_the_training_is(published) -> None:
    first, last = published.commits[0]["README.md"], published.commits[-1]["README.md"]
    assert b"after step 2" in first and b"nybble resume hub:me/price-lite" in first
    assert b"after step" not in last and b"## Results" in last


def test_no_path_of_this_machine_and_no_token_anywhere(published) -> None:
    for files in published.commits:
        for name, content in files.items():
            assert str(published.run.parent).encode() not in content, name
            assert str(Path(nybble.__file__).parent).encode() not in content, name
            assert TOKEN.encode() not in content, name
    assert TOKEN not in published.text
    for path in published.run.parent.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_it_goes_on_from_the_hub_to_the_same_bits(published, hub, tmp_path, capsys) -> None:
    folder = fetch_run(f"hub:{NAME}@step-4", tmp_path / "run")
    recipe = load_recipe(str(folder.recipe), ["publish.hub=null"])
    resume(folder, recipe)
    assert (folder.adapter / ADAPTER).read_bytes() == published.commits[-1][ADAPTER]
    steps = [json.loads(line)["step"] for line in folder.metrics.read_text().splitlines()]
    assert sorted(set(steps)) == [1, 2, 3, 4, 5, 6]
    printed = capsys.readouterr().out
    assert "checkpoint-4" in printed and TOKEN not in printed
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_the_spelling_of_the_verb(hub, tmp_path) -> None:
    folder = run_here(Path(f"hub:{NAME}@step-2"))
    assert folder.path.parent == Path("runs") and folder.newest_checkpoint()
    assert run_here(folder.path) == RunFolder(folder.path)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (f"hub:{NAME}", "is finished"),
        (f"hub:{NAME}@step-9", "no revision step-9"),
        ("hub:me/plain", "does not hold a run"),
        ("hub:me/nothing", "no model me/nothing"),
    ],
)
def test_what_cannot_be_gone_on_with(hub, tmp_path, reference: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fetch_run(reference)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("change", ["bit", "missing", "outside"])
def test_what_is_not_as_it_was_pushed_is_refused(hub, published, tmp_path, change: str) -> None:
    files = dict(published.commits[0])
    name = "nybble/checkpoints/checkpoint-2/optimizer.safetensors"
    if change == "bit":
        files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    elif change == "missing":
        del files[name]
    else:
        listed = json.loads(files["nybble/files.json"])
        listed["sha256"]["../../x"] = "0"
        files["nybble/files.json"] = json.dumps(listed).encode()
    hub.repositories["me/other"] = Repository({"main": files})
    with pytest.raises(InputError, match=r"did not come whole|out of the run's folder"):
        fetch_run("hub:me/other")
    assert not (tmp_path / "runs").exists()


def with_recipe(files: dict[str, bytes], before: bytes, after: bytes) -> dict[str, bytes]:
    """A published save whose recipe says `after` instead of `before`, checksums and all."""
    text = files["nybble/recipe.yaml"]
    assert before in text
    text = text.replace(before, after)
    listed = json.loads(files["nybble/files.json"])
    listed["sha256"]["recipe.yaml"] = hashlib.sha256(text).hexdigest()
    return files | {"nybble/recipe.yaml": text, "nybble/files.json": json.dumps(listed).encode()}


def test_a_recipe_that_publishes_elsewhere_is_not_followed_unasked(hub, published) -> None:
    """Else a stranger's run could overwrite a repository of one's own."""
    files = with_recipe(published.commits[0], b"hub: me/price-lite", b"hub: me/precious")
    hub.repositories["me/other"] = Repository({"main": files})
    with pytest.raises(InputError, match="publishes to me/precious") as refused:
        fetch_run("hub:me/other")
    assert "nybble resume runs/" in refused.value.fix


def test_a_models_own_code_is_not_run_unasked(hub, published) -> None:
    files = with_recipe(
        published.commits[0], b"trust_remote_code: false", b"trust_remote_code: true"
    )
    files = with_recipe(files, b"hub: me/price-lite", b"hub: me/other")
    hub.repositories["me/other"] = Repository({"main": files})
    with pytest.raises(InputError, match="runs Python code") as refused:
        fetch_run("hub:me/other")
    assert "nybble resume runs/" in refused.value.fix
