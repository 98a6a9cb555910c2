import json
import re
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer import Typer
from typer.testing import CliRunner

from nybble.cli.report import report
from nybble.report.page import PARTS, SCRIPTS, STYLES, embedded, page, write_report
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

HOSTILE = "</script><script>alert(1)</script><!-- \u2028\u2029 <img src=x onerror=alert(2)> &amp;"
MOST_BYTES = 8_000_000


def data_of(path):
    html = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'type="application/json">(.*?)</script>', html, re.S)[1])


def test_a_judged_run_has_every_section(judged):
    shown = data_of(write_report(judged))
    assert shown["verdict"]["outcome"] == "better"
    assert shown["verdict"]["lead"].startswith("On 60 held-out rows the tuned model is off by")
    assert (shown["n"], shown["reads"]) == (60, 2)
    missing = [key for key, value in shown.items() if value is None and key != "seeds"]
    assert missing == []


def test_a_run_that_only_trained_has_the_rest(trained):
    shown = data_of(write_report(trained))
    assert shown["verdict"] is None
    assert shown["training"]["steps"] == 40
    assert "scores" not in shown


def test_a_run_of_nothing_but_its_recipe_has_a_page(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: bare\n")
    shown = data_of(write_report(RunFolder(tmp_path)))
    assert shown["name"] == "bare"
    assert shown["training"] is shown["memory"] is None


@pytest.mark.parametrize(
    "name", ["environment.json", "plan.json", "metrics.jsonl", "data/audit.json",
             "data/preview.json", "evaluation/comparison.json", "evaluation/predictions.json",
             "evaluation/tuned.jsonl", "evaluation/baseline.jsonl"],
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
    assert html.count("<script") == html.count("</script>") == 2
    assert "<!--" not in html
    assert "<img" not in html
    assert data_of(path)["scatter"]["texts"][0] == f"{HOSTILE} 0"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_embedded_json_says_the_same_without_a_dangerous_character(text):
    safe = embedded({text: [text]})
    assert json.loads(safe) == {text: [text]}
    assert not set("<>&\u2028\u2029") & set(safe)


def test_half_a_character_is_replaced():
    assert json.loads(embedded("a\ud800b")) == "a\ufffdb"


def test_the_data_is_not_taken_for_a_placeholder():
    assert "$style" in page({"name": "$style ${script} $$"})


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


@pytest.mark.slow
def test_the_largest_page_stays_small(tmp_path, make_judged):
    folder = make_judged(tmp_path / "run", rows=5_000, text="<" * 1_300)
    predictions = folder.read("evaluation/predictions.json")
    comparison = folder.read("evaluation/comparison.json")
    for i in range(6):
        name = f"reference {i}"
        predictions["values"][name] = predictions["values"]["ridge"]
        comparison["references"][name] = comparison["references"]["ridge"]
    folder.write("evaluation/predictions.json", predictions)
    folder.write("evaluation/comparison.json", comparison)
    path = write_report(folder)
    assert path.stat().st_size < MOST_BYTES
    shown = data_of(path)["scatter"]
    assert (shown["n"], len(shown["rows"])) == (5_000, 4_000)


@pytest.mark.slow
def test_a_page_of_2000_rows_takes_less_than_a_second(tmp_path, make_judged):
    folder = make_judged(tmp_path / "run", rows=2_000)
    began = time.process_time()
    write_report(folder)
    assert time.process_time() - began < 1


def test_no_model_library_is_imported():
    heavy = "{'torch', 'transformers', 'sklearn'}"
    code = f"import sys, nybble.cli.report; print({heavy} & {{*sys.modules}})"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_the_verb_prints_the_path(judged):
    app = Typer()
    app.command()(report)
    result = CliRunner().invoke(app, [str(judged.path)])
    assert result.exit_code == 0, result.output
    assert result.output.replace("\n", "") == str(judged.path / "report.html")
