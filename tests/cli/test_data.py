import errno
import json
import os
import re
from pathlib import Path

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


@pytest.mark.slow
def test_stats_tells_lengths_and_a_cut_off(nybble, recipe):
    result = nybble("data", "stats", recipe(), "--field", "prompt")
    assert result.exit_code == 0, result.output
    assert "Field prompt: 20 rows" in result.stdout
    assert "data.max_length=64: no row is longer" in result.stdout
    assert "Numbers: each of 0 to 999 is one token." in result.stdout
    measured = json.loads(nybble("data", "stats", "recipe.yaml", "--json").stdout)
    assert (measured["rows"]["rows"], measured["field"]) == (20, None)
    assert [line["tokens"] for line in measured["rows"]["cut_offs"]] == [64]


@pytest.mark.slow
def test_stats_measures_rows_that_training_would_refuse(nybble, recipe):
    path = recipe()
    assert nybble("data", "prepare", path, "data.max_length=8", "--output", "out").exit_code == 2
    assert nybble("data", "stats", path, "data.max_length=8").exit_code == 0


@pytest.mark.slow
def test_show_gives_ids_mask_texts_and_source_rows(nybble, recipe, mini_tokenizer):
    path = recipe()
    rows = json.loads(nybble("data", "show", path, "--rows", "2", "--json").stdout)
    assert len(rows) == 2
    for row in rows:
        assert sorted(row) == ["input_ids", "scored", "source_row", "tokens"]
        assert "".join(row["tokens"]) == mini_tokenizer.decode(row["input_ids"])
        number = row["source_row"] - 1
        said = "".join(t for t, s in zip(row["tokens"], row["scored"], strict=True) if s)
        assert said == ("no" if number % 2 else "yes") + mini_tokenizer.eos_token
    told = nybble("data", "show", path, "--rows", "1", "--ids").stdout
    assert told.startswith(f"row {rows[0]['source_row']}: ")
    assert all(str(i) in told for i in rows[0]["input_ids"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        (["data.rows={column: id, first: 11}"], {"rows": [10, 5, 5]}),
        (["data.test={column: id, first: 1, last: 3}"], {"rows": [22, 5, 3]}),
        (["data.truncate={field: prompt, max_tokens: 2}"], {"cut": [20, 5, 5]}),
        (["data.max_prompt_length=4"], {"cut": [20, 5, 5]}),
        (["data.duplicates=remove"], {"rows": [18, 5, 5], "removed": 2}),
    ],
    ids=lambda value: value[0].split("=")[0] if isinstance(value, list) else "",
)
def test_a_field_changes_what_is_prepared(nybble, recipe, work, overrides, found):
    rows = [{"id": n, "prompt": f"Is {n} even?", "completion": "no"} for n in range(1, 31)]
    if "removed" in found:
        numbers = json.loads(nybble("data", "show", recipe(lines(rows)), "--rows", "9",
                                    "--json").stdout)  # fmt: skip
        first, *again = (rows[row["source_row"] - 1] for row in numbers[:3])
        for row in again:
            row["prompt"] = first["prompt"]
    result = nybble("data", "prepare", recipe(lines(rows)), *overrides, "--output", "out")
    assert result.exit_code == 0, result.output
    audit = json.loads((work / "out" / "audit.json").read_text())
    parts = ("train", "validation", "test")
    assert [audit["rows"][part] for part in parts] == found.get("rows", [20, 5, 5])
    assert list(audit["cut_rows"].values()) == found.get("cut", [])
    assert len(audit["repeats"]["removed"] or []) == found.get("removed", 0)
    assert ("Cut as the recipe says: 20 train" in result.stdout) == ("cut" in found)
    assert ("Repeated rows: 2 exact train in train; removed." in result.stdout) == (
        "removed" in found
    )


@pytest.mark.slow
def test_split_by_keeps_groups_together(nybble, recipe, work):
    rows = [{"tree": n // 3, "prompt": f"Is {n} even?", "completion": "no"} for n in range(30)]
    path = recipe(lines(rows))
    assert nybble("data", "prepare", path, "data.split_by=tree", "--output", "out").exit_code == 0
    test = [json.loads(line) for line in (work / "out" / "test.jsonl").read_text().splitlines()]
    train = (work / "out" / "train.jsonl").read_text().splitlines()
    trees = {(json.loads(line)["source_row"] - 1) // 3 for line in train}
    assert len(test) == 6
    assert not trees & {row["columns"]["tree"] for row in test}


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


DOCS = Path(__file__).parents[2] / "docs" / "data-lengths.md"
COMMANDS = re.findall(r"^nybble (.*)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_page_run(nybble, command):
    small = ["data.limit=300", "data.validation=20", "data.test=20"]
    assert nybble(*command.split(), *small).exit_code == 0
