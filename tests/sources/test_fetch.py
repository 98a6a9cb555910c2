"""Rows from each kind of source, and everything that a recipe names."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nybble.mini.catalogue import catalogue
from nybble.mini.chats import chats
from nybble.mini.functions import functions
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError
from nybble.sources.fetch import fetch, load_rows

from .tiny import adapter_files, model_files, weights, write


def recipe(model: dict[str, Any], **data: Any) -> Recipe:
    """A recipe of that model and data."""
    return Recipe.model_validate({"name": "x", "model": model, "data": data})


@pytest.mark.slow
@pytest.mark.parametrize("make", [catalogue, chats, functions])
def test_bundled_rows_are_the_same_each_time_and_begin_alike(
    make: Callable[[int, int], Iterator[dict[str, Any]]],
) -> None:
    source = f"bundled:{make.__name__}"
    rows = load_rows(source, "main", None)
    assert len(rows) == 20_000
    assert load_rows(source, "main", 50) == rows[:50] == list(make(50, 0))


@pytest.mark.slow
def test_more_bundled_rows_when_asked() -> None:
    assert len(load_rows("bundled:catalogue", "main", 20_001)) == 20_001


def test_rows_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert load_rows(str(path), "main", None) == [{"a": 1}, {"a": 2}]
    assert load_rows(str(path), "main", 1) == [{"a": 1}]


@pytest.mark.parametrize("name", ["mini", "", "catalog"])
def test_unknown_bundled_data_names_the_known(name: str) -> None:
    with pytest.raises(InputError, match=f"No bundled data is called '{name}'") as refused:
        load_rows(f"bundled:{name}", "main", None)
    assert "bundled:catalogue" in refused.value.fix


def test_a_recipe_of_bundled_things_is_all_there() -> None:
    found = dict(fetch(recipe({"base": "bundled:mini"}, train="bundled:catalogue", test=5)))
    assert list(found) == ["model", "train"]
    assert (Path(found["model"]) / "config.json").is_file()
    assert found["train"] == "bundled:catalogue"


def test_a_recipe_of_local_things(tmp_path: Path) -> None:
    model = write(tmp_path / "model", model_files())
    adapter = write(tmp_path / "adapter", adapter_files())
    rows = write(tmp_path, {"train.csv": b"a\n1\n", "test.jsonl": b"{}"})
    asked = recipe(
        {"base": str(model), "adapter": str(adapter)},
        train=str(rows / "train.csv"),
        validation=3,
        test=str(rows / "test.jsonl"),
    )
    assert fetch(asked) == [
        ("model", str(model)),
        ("adapter", str(adapter)),
        ("train", str(rows / "train.csv")),
        ("test", str(rows / "test.jsonl")),
    ]


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ({"base": "./cut"}, {"train": "bundled:catalogue"}, "model.safetensors is cut off"),
        ({"base": "./gone"}, {"train": "bundled:catalogue"}, "gone does not exist"),
        (
            {"base": "bundled:mini", "adapter": "./cut"},
            {"train": "bundled:catalogue"},
            "no adapter_config.json",
        ),
        ({"base": "bundled:mini"}, {"train": "gone.jsonl"}, "There is no file gone.jsonl"),
        ({"base": "bundled:mini"}, {"train": "./cut"}, "is a folder, not a file"),
        ({"base": "bundled:mini"}, {"train": "bundled:mini"}, "No bundled data"),
        (
            {"base": "bundled:mini"},
            {"train": "bundled:catalogue", "validation": "dev.xlsx"},
            "not the name of a Hub repository",
        ),
        (
            {"base": "bundled:mini"},
            {"train": "bundled:catalogue", "test": "gone.csv"},
            "There is no file gone.csv",
        ),
    ],
)
def test_the_first_thing_missing_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: dict[str, Any],
    data: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "cut", model_files() | {"model.safetensors": weights()[:-1]})
    with pytest.raises(InputError) as refused:
        fetch(recipe(model, **data))
    assert message in refused.value.message
