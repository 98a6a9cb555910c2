"""What `nybble compare` refuses, before torch is imported."""

import json

import pytest

OWN = "data: {train: rows.jsonl, validation: 5, test: 5}\n"


def test_models_without_rows_are_told(refused):
    told = refused("compare", "bundled:mini")
    assert "no test rows to compare on" in told.message
    assert "--data RECIPE" in told.fix


def test_a_recipe_that_judges_nothing_names_no_rows(refused, work):
    (work / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n' * 20)
    (work / "r.yaml").write_text("name: r\nmodel: {base: 'bundled:mini'}\n" + OWN)
    told = refused("compare", "bundled:mini", "--data", "r.yaml")
    assert "has no evaluate.task" in told.message


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("reference:oracle", "There is no reference 'oracle'"),
        ("people:nobody.csv", "nobody.csv"),
        ("openai:", "names no remote model"),
        ("./nowhere", "nowhere"),
    ],
)
def test_what_is_not_there_is_named(refused, work, named, told):
    rows = [{"prompt": f"Kind {n}?", "completion": "yes" if n % 2 else "no"} for n in range(40)]
    (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (work / "r.yaml").write_text(
        "name: r\nmodel: {base: 'bundled:mini'}\n" + OWN + "evaluate: {task: label}\n"
    )
    assert told in refused("compare", named, "--data", "r.yaml").message


def test_a_task_without_references_says_so(refused, work):
    rows = [{"prompt": f"{n}?", "completion": f"{n}!"} for n in range(40)]
    (work / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (work / "r.yaml").write_text(
        "name: r\nmodel: {base: 'bundled:mini'}\n" + OWN + "evaluate: {task: loss}\n"
    )
    told = refused("compare", "bundled:mini", "reference:all", "--data", "r.yaml")
    assert told.message == "There are no references for the task loss."


def test_a_folder_that_exists_is_not_written_into(refused, work):
    (work / "out").mkdir()
    (work / "out" / "mine.txt").write_text("precious")
    told = refused("compare", "bundled:mini", "--data", "price-demo", "--output", "out")
    assert "exists already" in told.message
