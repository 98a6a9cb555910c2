import errno
import json
import os

import pytest


@pytest.mark.slow
def test_prepare_writes_the_rows_and_says_how_many(nybble, recipe, work):
    result = nybble("data", "prepare", recipe(), "--output", "out")
    assert result.exit_code == 0, result.output
    assert "20 train, 5 validation, 5 test rows in out" in result.stdout
    assert sorted(p.name for p in (work / "out").iterdir()) == [
        "audit.json", "test.jsonl", "train.jsonl", "validation.jsonl",
    ]  # fmt: skip
    lines = (work / "out" / "train.jsonl").read_text().splitlines()
    assert [sorted(json.loads(line)) for line in lines] == 20 * [
        ["input_ids", "scored", "source_row"]
    ]


@pytest.mark.slow
def test_prepare_takes_conversations(nybble, recipe, work):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    rows = (json.dumps({"messages": turns}) + "\n") * 12
    result = nybble("data", "prepare", recipe(rows), "--output", "out")
    assert result.exit_code == 0, result.output
    audit = json.loads((work / "out" / "audit.json").read_text())
    assert audit["rows"] == {"train": 2, "validation": 5, "test": 5}


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_nothing(nybble, recipe, work, monkeypatch):
    def no_space(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = recipe()
    before = sorted(work.rglob("*"))
    monkeypatch.setattr(os, "fsync", no_space)
    result = nybble("data", "prepare", path, "--output", "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("The disk is full")
    assert len(result.stderr.splitlines()) == 2
    assert sorted(work.rglob("*")) == before
