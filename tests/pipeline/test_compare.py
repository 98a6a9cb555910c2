"""`nybble compare` on the bundled model: the same rows, each model once, everything written."""

import json
import shutil
from pathlib import Path

import pytest

import nybble
from nybble.pipeline.compare import Wanted, compare_models
from nybble.runs.errors import InputError

from ..local_server import Handler, serving

pytestmark = pytest.mark.slow


class Polite(Handler):
    """A remote model that answers every question with 55."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        said = {"choices": [{"message": {"content": "$55"}}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 2}}  # fmt: skip
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def runs(finished: Path, tmp_path: Path) -> list[Path]:
    """The demo, and a copy of it with another adapter's worth of steps: none."""
    copies = [tmp_path / "first", tmp_path / "second"]
    for copy in copies:
        shutil.copytree(finished, copy)
    return copies


def test_models_are_compared_on_the_first_runs_rows(runs, comparison, tmp_path) -> None:
    models = [str(runs[0]), "bundled:mini", "reference:all", f"same={runs[1]}"]
    found, folder = compare_models(Wanted(models, output=tmp_path / "out"))
    assert folder == tmp_path / "out"
    assert found == json.loads((folder / "comparison.json").read_text())
    values = {model["name"]: model["value"] for model in found["models"]}
    assert values["first"] == values["same"] == comparison["tuned"]["value"]
    assert values["bundled:mini"] == comparison["baseline"]["value"]
    for name, reference in comparison["references"].items():
        if name != "zero-shot base":
            assert values[name] == reference["value"]
    kinds = [model["kind"] for model in found["models"]]
    assert kinds == ["tuned", "base", *["reference"] * 4, "tuned"]
    pairs = {(pair["a"], pair["b"]): pair for pair in found["pairs"]}
    assert len(pairs) == 21
    assert pairs["first", "bundled:mini"]["difference"] == comparison["difference"]
    assert pairs["first", "same"]["difference"]["value"] == 0.0
    assert found["test_reads"] == 2
    for run in runs:
        assert json.loads((run / "evaluation/test_reads.json").read_text()) == {"reads": 2}


def test_a_run_under_two_names_has_its_rows_read_once(runs, tmp_path) -> None:
    wanted = Wanted([str(runs[0]), f"same={runs[0]}"], rows=4, output=tmp_path / "out")
    found = compare_models(wanted)[0]
    assert found["test_reads"] == 2
    assert json.loads((runs[0] / "evaluation/test_reads.json").read_text()) == {"reads": 2}


def test_rows_slices_and_examples_are_options(runs, tmp_path) -> None:
    folder = nybble.compare(
        [str(runs[0]), "bundled:mini"], rows=30, slices=["kind"], few_shot=0,
        output=tmp_path / "out",
    )  # fmt: skip
    assert {path.name for path in folder.iterdir()} == {
        "comparison.json", "predictions.json", "report.html",
    }  # fmt: skip
    assert json.loads((folder / "comparison.json").read_text())["n"] == 30
    predictions = json.loads((folder / "predictions.json").read_text())
    assert predictions["columns"].keys() == {"kind"}
    zero_shot = [
        json.loads(line)["score"]
        for line in (runs[0] / "evaluation" / "zero_shot.jsonl").read_text().splitlines()
    ][:30]
    assert predictions["scores"]["bundled:mini"] == zero_shot


def test_remote_models_and_people_are_compared_too(runs, tmp_path) -> None:
    predictions = json.loads((runs[0] / "evaluation" / "predictions.json").read_text())
    rows = list(zip(predictions["row"], predictions["truth"], strict=True))[:25]
    people = tmp_path / "ann.csv"
    people.write_text("row,answer\n" + "".join(f"{row},${true}\n" for row, true in rows))
    with serving(Polite, None) as address:
        url = f"openai:any@{address}/v1#input=1&output=1"
        models = [str(runs[0]), f"frontier={url}", f"people:{people}"]
        found, _ = compare_models(Wanted(models, output=tmp_path / "out"))
    by_name = {model["name"]: model for model in found["models"]}
    assert found["n"] == 25
    assert found["notes"] == ["ann answered 25 of 60 test rows: all are compared on those."]
    assert by_name["ann"]["value"] == 0.0 and by_name["ann"]["kind"] == "people"
    expected = sum(abs(55 - true) for _, true in rows) / 25
    assert by_name["frontier"]["value"] == pytest.approx(expected)
    assert by_name["frontier"]["cost_dollars"] == pytest.approx(25 * 12 / 1e6)


def test_rows_that_changed_since_are_refused_before_anything_is_written(runs, tmp_path) -> None:
    environment = runs[0] / "environment.json"
    written = json.loads(environment.read_text())
    environment.write_text(json.dumps(written | {"data": "0" * 64}))
    with pytest.raises(InputError, match="training rows changed"):
        compare_models(Wanted([str(runs[0])], output=tmp_path / "out"))
    assert not (tmp_path / "out").exists()
