"""Whatever a push meets, the training never hears of it, and the newest save goes up in the end."""

import json
import threading
from pathlib import Path

import pytest

from nybble.export import publish
from nybble.export.publish import Publisher, check_publish, publish_end
from nybble.export.push import PushRefusedError
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.training.manifest import damage, write_manifest

TOKEN = "hf_" + "A1b2" * 8


class Hub:
    """In place of `upload_folder`: fails with `errors`, in their order, then takes all."""

    private = True

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Event()
        self.titles: list[str] = []
        self.files: list[dict[str, bytes]] = []

    def __call__(self, folder, to, kind, private, revision, title, replaced):
        self.begun.set()
        assert self.open.wait(10)
        assert (to, kind, private, revision, replaced) == (
            "me/x", "model", self.private, "main", "nybble/*")  # fmt: skip
        if self.errors:
            raise self.errors.pop(0)
        self.titles.append(title)
        self.files.append({str(p.relative_to(folder)): p.read_bytes()
                           for p in folder.rglob("*") if p.is_file()})  # fmt: skip
        return "https://the-hub/me/x"


@pytest.fixture
def published(make_run, monkeypatch):
    """A run that is published to a hub that is given, without waiting."""

    def make(hub: Hub, *overrides: str):
        monkeypatch.setattr(publish, "upload_folder", hub)
        monkeypatch.setattr(publish, "FIRST_SECONDS", 0.001)
        monkeypatch.setattr(publish, "GRACE_SECONDS", 10.0)
        folder = make_run("publish.hub=me/x", *overrides)
        return folder, load_recipe(str(folder.recipe))

    return make


def checkpoint(folder, step: int) -> Path:
    path = folder.checkpoints / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "adapter_model.safetensors").write_bytes(b"weights %d" % step)
    config = {"base_model_name_or_path": "/home/alice/models/mini"}
    (path / "adapter_config.json").write_text(json.dumps(config))
    (path / "optimizer.safetensors").write_bytes(b"moments")
    identity = {"model.base": "/home/alice/models/mini", "model.adapter": "me/x", "lora.r": 16}
    (path / "trainer_state.json").write_text(json.dumps({"identity": identity}))
    write_manifest(path)
    return path


def saves(folder, recipe, *steps: int) -> None:
    publisher = Publisher(folder, recipe)
    publisher.begin(9, 0)
    for step in steps:
        publisher.saved(step, checkpoint(folder, step))
    publisher.end()


@pytest.mark.parametrize(
    "error",
    [InputError("The Hub could not be reached.", "Wait."), OSError("broken"), KeyError("odd")],
)
def test_a_push_that_fails_is_told_and_tried_again(published, capsys, error) -> None:
    hub = Hub(error, error)
    saves(*published(hub), 3)
    assert hub.titles == ["Step 3 of price-demo"]
    assert capsys.readouterr().out.count("step 3 is not pushed, again in") == 2


def test_what_is_refused_is_tried_again_with_the_next_save_only(published, capsys) -> None:
    hub = Hub(PushRefusedError(f"Your token {TOKEN} may not write.", "Give it access."))
    folder, recipe = published(hub)
    saves(folder, recipe, 3)
    assert hub.titles == [] and hub.errors == []
    told = capsys.readouterr().out
    assert "the next save is tried again" in told and TOKEN not in told
    saves(folder, recipe, 4)
    assert hub.titles == ["Step 4 of price-demo"]


def test_a_save_that_waits_gives_way_to_a_newer_one_and_survives_its_removal(published) -> None:
    hub = Hub()
    hub.open.clear()
    folder, recipe = published(hub)
    publisher = Publisher(folder, recipe)
    publisher.begin(9, 0)
    publisher.saved(1, checkpoint(folder, 1))
    assert hub.begun.wait(10)
    for step in (2, 3):
        publisher.saved(step, checkpoint(folder, step))
    for path in folder.checkpoints.rglob("*"):
        if path.is_file():
            path.unlink()
    hub.open.set()
    publisher.end()
    assert hub.titles == ["Step 1 of price-demo", "Step 3 of price-demo"]
    assert hub.files[-1]["adapter_model.safetensors"] == b"weights 3"
    assert "nybble/checkpoints/checkpoint-3/optimizer.safetensors" in hub.files[-1]
    assert not [name for name, content in hub.files[-1].items() if b"alice" in content]
    assert not list(folder.path.glob(".partial-*"))


def test_folders_of_this_machine_stay_here_and_what_goes_up_is_whole(published, tmp_path) -> None:
    hub = Hub()
    folder, recipe = published(hub)
    audit = folder.read("data/audit.json")
    shares = [{"source": "/home/alice/rows.jsonl", "first": 0}, {"source": "hub:me/rows"}]
    folder.write("data/audit.json", audit | {"sources": shares})
    saves(folder, recipe, 3)
    assert not [name for name, content in hub.files[-1].items() if b"alice" in content]
    pushed = json.loads(hub.files[-1]["nybble/data/audit.json"])["sources"]
    assert pushed == [{"source": "rows.jsonl", "first": 0}, {"source": "hub:me/rows"}]
    saved = "nybble/checkpoints/checkpoint-3/"
    for name, content in hub.files[-1].items():
        if name.startswith(saved):
            (tmp_path / name.removeprefix(saved)).write_bytes(content)
    assert damage(tmp_path) is None
    state = json.loads((tmp_path / "trainer_state.json").read_text())
    assert state == {"identity": {"model.adapter": "me/x", "lora.r": 16}}
    kept = folder.checkpoints / "checkpoint-3"
    assert damage(kept) is None and "alice" in (kept / "trainer_state.json").read_text()


def test_a_hub_that_hangs_holds_the_end_up_for_seconds_only(published, monkeypatch) -> None:
    hub = Hub()
    hub.open.clear()
    folder, recipe = published(hub)
    monkeypatch.setattr(publish, "GRACE_SECONDS", 0.01)
    publisher = Publisher(folder, recipe)
    publisher.begin(9, 0)
    publisher.saved(1, checkpoint(folder, 1))
    assert hub.begun.wait(10)
    publisher.saved(2, checkpoint(folder, 2))
    publisher.end()
    assert hub.titles == []
    hub.open.set()
    publisher._thread.join(10)
    assert hub.titles == ["Step 1 of price-demo"]  # what was under way; nothing new was begun


def test_a_save_that_cannot_be_staged_does_not_end_the_training(published, capsys) -> None:
    hub = Hub()
    folder, recipe = published(hub)
    (folder.path / "environment.json").unlink()
    saves(folder, recipe, 3)
    assert hub.titles == [] and "step 3 is not pushed" in capsys.readouterr().out
    assert not list(folder.path.glob(".partial-*"))


def test_the_end_is_tried_again_and_then_says_how_to_push_it(published, capsys) -> None:
    away = InputError("The Hub could not be reached.", "Wait.")
    hub = Hub(away, away)
    folder, recipe = published(hub)
    publish_end(folder, recipe)
    assert hub.titles == ["Adapter of price-demo"]
    assert json.loads(hub.files[0]["nybble/files.json"])["finished"]
    hub.errors = [away] * publish.LAST_TRIES
    publish_end(folder, recipe)
    assert hub.errors == [] and len(hub.titles) == 1
    assert f"`nybble push {folder.path} --to me/x`" in capsys.readouterr().out


def test_the_end_of_what_is_refused_is_not_tried_again(published, capsys) -> None:
    hub = Hub(PushRefusedError("No.", "Never."))
    publish_end(*published(hub))
    assert hub.titles == [] and "pushes it later" in capsys.readouterr().out


def test_without_a_token_a_run_that_publishes_is_refused_at_once(monkeypatch) -> None:
    monkeypatch.setattr("nybble.export.push.hub_token", lambda: None)
    check_publish(load_recipe("price-demo"))
    with pytest.raises(InputError, match="no Hugging Face token"):
        check_publish(load_recipe("price-demo", ["publish.hub=me/x"]))


def test_saves_are_watched_where_the_recipe_says_so(make_run, tmp_path) -> None:
    from types import SimpleNamespace

    from nybble.pipeline.watching import publishers
    from nybble.runs.folder import RunFolder

    folder = make_run()

    def count(where, *overrides: str) -> int:
        return len(publishers(SimpleNamespace(recipe=load_recipe("price-demo", overrides)), where))

    assert count(folder) == 0
    assert count(folder, "publish.hub=me/x") == 1
    assert count(folder, "publish.hub=me/x", "publish.every_save=false") == 0
    assert count(RunFolder(tmp_path / "seed-43"), "publish.hub=me/x") == 0


def test_private_is_what_the_recipe_says(published) -> None:
    hub = Hub()
    hub.private = False
    publish_end(*published(hub, "publish.private=false"))
    assert hub.titles == ["Adapter of price-demo"]


def test_a_card_that_cannot_be_written_does_not_fail_the_finished_run(published, capsys) -> None:
    folder, recipe = published(Hub())
    (folder.path / "plan.json").unlink()
    publish_end(folder, recipe)
    assert "pushes it later" in capsys.readouterr().out
