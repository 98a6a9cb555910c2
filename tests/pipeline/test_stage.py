"""What is refused or known before a weight is loaded."""

import json
import shutil
from pathlib import Path

import pytest

from nybble.pipeline.stage import Stage, make_stage
from nybble.recipe.load import parse_recipe
from nybble.runs.errors import InputError

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path: Path, stage: Stage):
    """Makes a copy of the bundled model that reads fewer tokens."""

    def make(context: int) -> Path:
        folder = tmp_path / "owner" / "model"
        shutil.copytree(stage.model_folder, folder)
        config = json.loads((folder / "config.json").read_text())
        config["max_position_embeddings"] = context
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return make


@pytest.fixture
def recipe(tmp_path: Path):
    def make(base: object, *overrides: str):
        rows = [{"title": f"Lamp number {n}", "price": n % 90} for n in range(1, 41)]
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        text = (
            f"name: a\nmodel: {{base: {base}}}\n"
            f"data: {{train: {path}, validation: 5, test: 5, prompt: title, completion: price}}\n"
            "evaluate: {task: number}\n"
        )
        return parse_recipe(text, "s", list(overrides))

    return make


def test_rows_longer_than_the_model_reads_are_refused(model, recipe):
    with pytest.raises(InputError, match="reads at most 6") as caught:
        make_stage(recipe(model(6)))
    assert "data.max_length" in caught.value.fix


def test_examples_that_do_not_fit_the_context_are_refused(model, recipe):
    folder = model(24)
    with pytest.raises(InputError, match="reads at most 24") as caught:
        make_stage(recipe(folder))
    assert "evaluate.few_shot" in caught.value.fix
    make_stage(recipe(folder, "evaluate.few_shot=0", "evaluate.max_new_tokens=4"))
    make_stage(recipe(folder, "evaluate.size=0"))


def test_questions_of_the_training_that_do_not_fit_are_refused(model, recipe, tmp_path):
    """Else a model with learnt positions would break at the first evaluation."""
    folder, rows = model(24), tmp_path / "validation.jsonl"
    rows.write_text(json.dumps({"title": "Lamp " * 5, "price": 1}) + "\n")
    few = (f"data.validation={rows}", "evaluate.few_shot=0", "evaluate.max_new_tokens=8")
    make_stage(recipe(folder, *few))
    with pytest.raises(InputError, match=r"^validation row 1: .*reads at most 24") as caught:
        make_stage(recipe(folder, *few, "evaluate.during_training=1"))
    assert caught.value.fix == "Lower evaluate.max_new_tokens (now 8)."


def test_the_second_time_rows_come_from_the_cache_and_are_the_same(
    recipe, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("NYBBLE_CACHE", str(tmp_path / "cache"))
    asked = recipe("bundled:mini")
    first, told = make_stage(asked), capsys.readouterr().out
    second, told_again = make_stage(asked), capsys.readouterr().out
    assert "from cache" not in told
    assert told_again == told.replace("35/35    0 s", "35/35  from cache  0 s")
    assert second.prepared.audit() == first.prepared.audit()
    assert second.preview() == first.preview()
    assert second.shots == first.shots


def test_an_adapter_names_a_base_that_plain_peft_can_load(model, recipe, monkeypatch):
    folder = model(1024)
    monkeypatch.setenv("HOME", str(folder.parents[1]))
    monkeypatch.chdir(folder.parents[1])
    for base in (folder, "owner/model", "./owner/model", "~/owner/model"):
        assert make_stage(recipe(base)).base_reference == str(folder.resolve())


@pytest.mark.parametrize("base", ["hub:owner/other", "owner/other"])
def test_an_adapter_names_the_repository_of_its_base(stage: Stage, base):
    from dataclasses import replace

    named = stage.recipe.model.model_copy(update={"base": base})
    other = replace(stage, recipe=stage.recipe.model_copy(update={"model": named}))
    assert other.base_reference == "owner/other"


@pytest.mark.parametrize(
    ("base", "revision", "written"),
    [("owner/other", "v2", "v2"), ("owner/other", "main", None), ("bundled:mini", "v2", None)],
)
def test_an_adapter_names_the_revision_of_its_base(
    stage: Stage, plan, tmp_path, base, revision, written
):
    from dataclasses import replace

    from nybble.pipeline.train import load_model
    from nybble.training.checkpoint import save_adapter

    named = stage.recipe.model.model_copy(update={"base": base, "revision": revision})
    other = replace(stage, recipe=stage.recipe.model_copy(update={"model": named}))
    save_adapter(load_model(other, plan, None), tmp_path, other.base_reference)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["revision"] == written


def test_adapters_that_are_gone_on_from_keep_their_own_fields(stage: Stage, recipe, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    (adapter / "adapter_model.safetensors").write_bytes(
        (stage.model_folder / "model.safetensors").read_bytes()
    )
    with pytest.raises(InputError, match=r"lora\.r = 64, but the adapter"):
        make_stage(recipe("bundled:mini", f"model.adapter={adapter}", "lora.r=64"))


def test_examples_are_drawn_from_rows_that_are_trained_on(recipe, tmp_path):
    made = recipe("bundled:mini", "data.allow_drops=true", "data.max_length=12")
    with (tmp_path / "rows.jsonl").open("a") as file:
        for number in range(20):
            file.write(json.dumps({"title": "word " * 30, "price": number}) + "\n")
    stage = make_stage(made.model_copy(update={"evaluate": made.evaluate.model_copy(
        update={"few_shot": 16})}))  # fmt: skip
    trained = {row.number for row in stage.prepared.train}
    assert {shot.number for shot in stage.shots} <= trained
    assert len(stage.shots) == 16


def test_a_named_chat_template_is_what_is_trained_on_and_saved(tmp_path: Path) -> None:
    from nybble.export.inference_files import write_inference_files
    from nybble.recipe import load_recipe

    few = ["data.limit=30", "data.validation=5", "data.test=5", "evaluate.size=0"]
    own = make_stage(load_recipe("chat-demo", few))
    named = make_stage(load_recipe("chat-demo", [*few, "data.chat_template=plain"]))
    assert named.prepared.fingerprint != own.prepared.fingerprint
    text = named.tokenizer.decode(named.prepared.train[0].input_ids)
    assert "User:\n" in text and "Assistant:\n" in text
    write_inference_files(named.tokenizer, [2], named.model_folder, tmp_path)
    assert (tmp_path / "chat_template.jinja").read_text() == named.tokenizer.chat_template
