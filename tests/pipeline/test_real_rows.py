"""The same journey on real rows, shortened."""

import json
from pathlib import Path

import pytest

import nybble

pytestmark = pytest.mark.slow
SHORT = ["train.max_steps=3", "data.limit=600", "data.validation=50", "data.test=80",
         "evaluate.size=40"]  # fmt: skip


def test_price_local_on_real_shop_items(shared: Path, tmp_path: Path) -> None:
    rows = shared / "data" / "price" / "products.jsonl"
    folder = nybble.run("price-local", tmp_path / "run", [f"data.train={rows}", *SHORT])
    comparison = json.loads((folder / "evaluation" / "comparison.json").read_text())
    assert comparison["n"] == 40
    assert "noise floor" not in comparison["references"]


def test_mbpp_on_the_bundled_model(shared: Path, tmp_path: Path) -> None:
    rows = shared / "data" / "mbpp" / "mbpp.jsonl"
    changes = ["model.base=bundled:mini", f"data.train={rows}", "train.max_steps=2",
               "data.validation=50", "data.test=100", "evaluate.size=6", "evaluate.few_shot=1",
               "evaluate.max_new_tokens=16"]  # fmt: skip
    folder = nybble.run("mbpp-coder", tmp_path / "run", [*changes, "data.limit=250"])
    audit = json.loads((folder / "data" / "audit.json").read_text())
    # Most of the first 250 rows are in MBPP's official test split.
    assert audit["rows"]["train"] + len(audit["dropped_rows"]) >= 50
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()


def test_conversations_with_a_chat_template(shared: Path, tmp_path: Path) -> None:
    rows = shared / "data" / "chat" / "oasst_en_paths_messages.jsonl"
    changes = [f"data.train={rows}", "data.limit=120", "data.validation=5", "data.test=5",
               "data.prompt=null", "data.completion=null", "evaluate.size=0",
               "data.max_length=1024", "data.allow_drops=true", "train.max_steps=1"]  # fmt: skip
    folder = nybble.run("price-demo", tmp_path / "run", changes)
    audit = json.loads((folder / "data" / "audit.json").read_text())
    assert 0 < audit["scored_tokens"]["train"] < audit["tokens"]["train"]
