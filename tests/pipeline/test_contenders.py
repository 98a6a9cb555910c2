"""What `nybble compare` was asked to compare."""

import json
import shutil
from pathlib import Path

import pytest

from nybble.pipeline.contenders import Guesser, Local, People, Remote, read_named
from nybble.pipeline.same_rows import check_same_split
from nybble.recipe import dump_recipe, load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.sources.models import locate_model

DEMO = load_recipe("price-demo")


def run_of(path: Path, *overrides: str) -> RunFolder:
    """A run with an adapter that is never loaded."""
    folder = RunFolder(path)
    (path / "adapter").mkdir(parents=True)
    folder.recipe.write_text(dump_recipe(load_recipe("price-demo", list(overrides))))
    base = str(locate_model("bundled:mini", "main").resolve())
    config = {"peft_type": "LORA", "base_model_name_or_path": base, "r": 16}
    (folder.adapter / "adapter_config.json").write_text(json.dumps(config))
    shutil.copy(Path(base) / "model.safetensors", folder.adapter / "adapter_model.safetensors")
    return folder


def test_each_kind_is_known_by_its_form(tmp_path: Path) -> None:
    run = run_of(tmp_path / "first")
    named, rows = read_named(
        [
            str(run.path), "bundled:mini", "reference:ridge (log)", "people:answers/ann.csv",
            "openai:gpt@http://localhost:1/v1", f"again={run.path}", str(run.adapter),
        ],
        None,
    )  # fmt: skip
    assert [one.name for one in named] == [
        "first", "bundled:mini", "ridge (log)", "ann", "openai:gpt@http://localhost:1/v1",
        "again", "adapter",
    ]  # fmt: skip
    kinds = [Local, Local, Guesser, People, Remote, Local, Local]
    assert [type(one) for one in named] == kinds
    assert [one.adapter_folder is not None for one in named if isinstance(one, Local)] == [
        True, False, True, True,
    ]  # fmt: skip
    assert [one.run is not None for one in named if isinstance(one, Local)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert rows.name == "price-demo"


def test_models_alone_have_no_rows_unless_a_recipe_names_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no test rows to compare on"):
        read_named(["bundled:mini", "reference:ridge"], None)
    _, rows = read_named(["bundled:mini"], DEMO)
    assert rows is DEMO


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    run = run_of(tmp_path / "first")
    with pytest.raises(InputError, match="Two of these are called 'first'") as caught:
        read_named([str(run.path), str(run.path)], None)
    assert "other=first" in caught.value.fix


def test_a_run_without_an_adapter_and_a_model_that_is_not_there_are_refused(tmp_path) -> None:
    run = run_of(tmp_path / "first")
    shutil.rmtree(run.adapter)
    with pytest.raises(InputError, match="is not trained yet"):
        read_named([str(run.path)], None)
    with pytest.raises(InputError):
        read_named(["./nowhere"], DEMO)


def test_runs_that_were_split_otherwise_are_refused_by_run_and_field(tmp_path: Path) -> None:
    first, other = run_of(tmp_path / "first"), run_of(tmp_path / "other", "data.seed=7")
    named, rows = read_named([str(first.path), str(other.path)], None)
    locals_ = [one for one in named if isinstance(one, Local)]
    with pytest.raises(InputError, match=r"^other was trained with another data\.seed"):
        check_same_split(locals_, rows, named=False)
    (line,) = check_same_split(locals_, rows, named=True)
    assert line.startswith("other was trained with another data.seed")


def test_another_prompt_or_length_splits_rows_alike(tmp_path: Path) -> None:
    other = run_of(tmp_path / "other", "data.max_length=64", "lora.r=4")
    named, _ = read_named([str(other.path)], DEMO)
    assert check_same_split([one for one in named if isinstance(one, Local)], DEMO, False) == []
