"""The rows of a recipe as a data set: what is written, and that it goes up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nybble
from nybble.data.corpus import read_splits
from nybble.export.push_data import write_dataset
from nybble.recipe.load import load_recipe, parse_recipe
from nybble.runs.errors import InputError
from nybble.sources import load_rows

from .upload_hub import UploadHub, running

TOKEN = "hf_" + "A1b2" * 8
ITEMS = [{"title": f"t{n}", "price": n + 0.5} for n in range(9)]
CALL = {"type": "function", "function": {"name": "f", "arguments": {"a": 1}}}
TALK = {
    "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "5", "name": "f"},
        {"role": "assistant", "content": "b"},
    ],
    "tools": [{"type": "function", "function": {"name": "f"}}],
}


@pytest.fixture
def recipe(tmp_path):
    def make(*rows, **data):
        path = tmp_path / "alice" / "rows.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        fields = {"train": str(path), "validation": 0, "test": 0} | data
        text = json.dumps({"name": "mine", "model": {"base": "bundled:mini"}, "data": fields})
        (tmp_path / "mine.yaml").write_text(text)
        return parse_recipe(text, "s", [])

    return make


@pytest.fixture
def written(tmp_path):
    def write(recipe):
        (tmp_path / "out").mkdir()
        splits = read_splits(recipe)
        write_dataset(splits, recipe, "me/rows", tmp_path / "out")
        return splits, tmp_path / "out"

    return write


def test_pairs_are_what_the_templates_made_of_them(recipe, written):
    made = recipe(*ITEMS, test=3, prompt="{title}: $", completion="{price:.0f}",
                  test_completion="{price}")  # fmt: skip
    splits, folder = written(made)
    for name, examples in (("train", splits.train), ("test", splits.test)):
        assert load_rows(str(folder / "data" / f"{name}.parquet"), "main", None) == [
            {"prompt": e.prompt, "completion": e.completion, "source_row": e.number}
            for e in examples
        ]
    assert not (folder / "data" / "validation.parquet").exists()
    card = (folder / "README.md").read_text()
    assert "6 to train, 3 to test" in card and "validation" not in card
    assert "alice" not in card


def test_conversations_read_back_the_same(recipe, written):
    splits, folder = written(recipe(TALK, TALK | {"tools": None}))
    source = str(folder / "data" / "train.parquet")
    data = {"train": source, "validation": 0, "test": 0}
    text = json.dumps({"name": "a", "model": {"base": "b"}, "data": data})
    again = read_splits(parse_recipe(text, "s", []))
    assert [(e.messages, e.tools) for e in again.train] == [
        (e.messages, e.tools) for e in splits.train
    ]


def test_texts_have_a_column_of_their_own(recipe, written):
    _, folder = written(recipe({"text": "a"}))
    rows = load_rows(str(folder / "data" / "train.parquet"), "main", None)
    assert rows == [{"text": "a", "source_row": 1}]


def test_a_field_that_would_be_lost_is_refused(recipe, written):
    row = {"messages": [TALK["messages"][0], {"role": "assistant", "content": "b", "mood": "x"}]}
    with pytest.raises(InputError, match="a field 'mood'"):
        written(recipe(row))


def test_a_mixture_of_kinds_is_refused(recipe, written, tmp_path):
    recipe(ITEMS[0])
    (tmp_path / "talk.jsonl").write_text(json.dumps(TALK))
    sources = [
        {"source": str(tmp_path / "talk.jsonl")},
        {"source": str(tmp_path / "alice" / "rows.jsonl"), "format": "text", "completion": "title"},
    ]
    data = {"train": sources, "validation": 0, "test": 0}
    text = json.dumps({"name": "a", "model": {"base": "b"}, "data": data})
    with pytest.raises(InputError, match="examples of several kinds"):
        written(parse_recipe(text, "s", []))


@pytest.mark.slow
def test_the_verb_uploads_them_private(recipe, tmp_path):
    recipe(*ITEMS, test=3, prompt="title", completion="price")
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    with running(UploadHub(TOKEN, "me")) as hub:
        environment = {
            **kept, "PYTHONPATH": str(Path(nybble.__file__).parents[1]), "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "nybble", "data", "push", "mine.yaml", "--to", "me/rows"],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("/datasets/me/rows\n")
    uploaded = hub.repositories["me/rows"]
    assert uploaded.private
    files = {"README.md", "data/train.parquet", "data/test.parquet"}
    assert uploaded.branches["main"].keys() == files


def test_the_card_names_a_folder_of_rows_without_its_folders(tmp_path, monkeypatch) -> None:
    import datasets

    saved = tmp_path / "mine" / "saved"
    rows = {"prompt": ["a"] * 30, "completion": ["b"] * 30}
    datasets.Dataset.from_dict(rows).save_to_disk(saved)
    overrides = ["data.validation=5", "data.test=5", "data.prompt=null", "data.completion=null",
                 "data.test_completion=null", f"data.train={saved}"]  # fmt: skip
    recipe = load_recipe("price-demo", overrides)
    out = tmp_path / "out"
    out.mkdir()
    write_dataset(read_splits(recipe), recipe, "me/rows", out)
    card = (out / "README.md").read_text()
    assert "Rows of saved, as the recipe" in card and "mine" not in card
