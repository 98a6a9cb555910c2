import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer import Typer
from typer.testing import CliRunner

from nybble.cli.report import report
from nybble.report.contents import Contents
from nybble.report.page import (
    PARTS,
    SCRIPTS,
    STYLES,
    embedded,
    page,
    write_comparison_report,
    write_report,
)
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

from .compared import METRICS
from .test_rows import unpacked

HOSTILE = "</script><script>alert(1)</script><!-- \u2028\u2029 <img src=x onerror=alert(2)> &amp;"
MOST_BYTES = 8_000_000


def data_of(path):
    html = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'type="application/json">(.*?)</script>', html, re.S)[1])


def rows_of(path):
    html = path.read_text(encoding="utf-8")
    return unpacked(re.search(r'id="packed" type="text/plain">(.*?)</script>', html, re.S)[1])


def test_a_judged_run_has_every_section(judged):
    shown = data_of(write_report(judged))
    assert shown["verdict"]["outcome"] == "better"
    assert shown["verdict"]["text"].startswith("On 60 held-out rows the tuned model did well")
    assert (shown["n"], shown["reads"]) == (60, 2)
    missing = [key for key, value in shown.items() if value is None]
    assert missing == ["seeds", "rows_of", "confusion"]


def test_a_run_that_only_trained_has_the_rest(trained):
    shown = data_of(write_report(trained))
    assert "verdict" not in shown
    assert shown["training"]["steps"] == 40
    assert "scores" not in shown


def test_a_run_of_nothing_but_its_recipe_has_a_page(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: bare\n")
    shown = data_of(write_report(RunFolder(tmp_path)))
    assert shown["name"] == "bare"
    assert shown["training"] is shown["memory"] is None


@pytest.mark.parametrize(
    "name", ["environment.json", "plan.json", "metrics.jsonl", "data/audit.json",
             "data/preview.json", "evaluation/comparison.json", "evaluation/predictions.json"],
)  # fmt: skip
def test_any_file_but_the_recipe_may_be_missing(judged, name):
    (judged.path / name).unlink()
    assert data_of(write_report(judged))["name"] == "tiny"


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="not the folder of a run"):
        write_report(RunFolder(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["plan.json", "evaluation/comparison.json"])
def test_a_broken_file_is_named(judged, name):
    (judged.path / name).write_text('{"half')
    with pytest.raises(InputError, match=re.escape(name)):
        write_report(judged)
    assert not (judged.path / "report.html").exists()


@pytest.mark.parametrize("text", ["a: [", "- 1\n"])
def test_a_broken_recipe_is_refused(judged, text):
    judged.recipe.write_text(text)
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        write_report(judged)


def test_what_strangers_wrote_cannot_end_the_data(tmp_path, make_judged):
    path = write_report(make_judged(tmp_path / "run", text=HOSTILE))
    html = path.read_text(encoding="utf-8")
    assert html.count("<script") == html.count("</script>") == 3
    assert "<!--" not in html
    assert "<img" not in html
    assert rows_of(path)["text"][0] == f"{HOSTILE} 0"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_embedded_json_says_the_same_without_a_dangerous_character(text):
    safe = embedded({text: [text]})
    assert json.loads(safe) == {text: [text]}
    assert not set("<>&\u2028\u2029") & set(safe)


def test_half_a_character_is_replaced():
    assert json.loads(embedded("a\ud800b")) == "a\ufffdb"


def test_the_data_is_not_taken_for_a_placeholder():
    assert "$style" in page(Contents({"name": "$style ${script} $$"}, None))


def test_the_page_needs_nothing_from_elsewhere(judged):
    html = write_report(judged).read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert re.findall(r"https?://[^\"'\s]+", html) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"\ssrc=|@import|url\((?!#)", html)


def test_no_script_makes_html_of_text():
    scripts = "\n".join((PARTS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser",
        scripts,
    )
    assert "</script" not in scripts


def test_every_file_of_the_page_is_in_it():
    assert {path.name for path in PARTS.iterdir()} == {*SCRIPTS, *STYLES, "template.html"}
    for path in PARTS.iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


def test_secrets_are_masked(trained):
    secret = "hf_abcdefghijklmnopqrstuv"
    trained.recipe.write_text(f"name: tiny\nsummary: {secret}\n")
    trained.write("environment.json", {"command": f"HF_TOKEN={secret} nybble run"})
    assert secret not in write_report(trained).read_text(encoding="utf-8")


@pytest.mark.parametrize("task", METRICS)
def test_several_models_have_the_same_page(tmp_path, make_compared, task):
    path = make_compared(tmp_path / "compared", task=task)
    shown = data_of(path)
    assert shown["name"] == "4 models compared"
    assert shown["facts"][0] == ["task", task]
    assert shown["facts"][2] == ["rows", "60 of price-demo"]
    assert shown["notes"] == ["Two runs split their rows apart."]
    assert len(rows_of(path)["row"]) == 60
    assert "training" not in shown


def test_two_compared_models_are_its_name(tmp_path, make_compared):
    path = make_compared(tmp_path / "compared", names=("a", "b"))
    assert data_of(path)["name"] == "a and b"


def test_a_folder_without_a_comparison_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no comparison\.json"):
        write_comparison_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_comparison_of_an_earlier_version_is_refused(judged):
    judged.comparison.write_text('{"task": "number", "n": 60}')
    with pytest.raises(InputError, match="earlier version"):
        write_report(judged)


def test_the_same_files_give_the_same_page(judged):
    first = write_report(judged).read_bytes()
    assert write_report(judged).read_bytes() == first


@pytest.mark.slow
def test_four_models_and_2000_rows_of_long_answers_stay_small(tmp_path, make_compared):
    path = make_compared(
        tmp_path / "compared", task="code", rows=2_000, text=HOSTILE * 20,
        answer="\U0001f600 \u202e" * 5_000,
    )  # fmt: skip
    assert path.stat().st_size < MOST_BYTES
    rows = rows_of(path)
    assert len(rows["row"]) == 2_000
    assert rows["cut"]["answers 0"]["0"] == 15_000


def test_no_model_library_is_imported():
    heavy = "{'torch', 'transformers', 'sklearn'}"
    code = f"import sys, nybble.cli.report; print({heavy} & {{*sys.modules}})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_the_verb_prints_the_path_of_a_run_or_a_comparison(judged, tmp_path, make_compared):
    app = Typer()
    app.command()(report)
    compared = make_compared(tmp_path / "compared").parent
    for folder in (judged.path, compared):
        (folder / "report.html").unlink(missing_ok=True)
        result = CliRunner().invoke(app, [str(folder)])
        assert result.exit_code == 0, result.output
        assert result.output.replace("\n", "") == str(folder / "report.html")
        assert (folder / "report.html").is_file()
