"""The page in a real browser: drawn, silent, searched, and deaf to what row texts try."""

import html
import json
import re
import shutil
import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from nybble.report.page import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, which is not installed"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--dump-dom", "--virtual-time-budget=20000",
)  # fmt: skip
HOSTILE = "</script><script>document.title='x'</script><img src=x onerror=document.title='x'>"
LONG = " ".join(f"needle {HOSTILE}" for _ in range(20))
MOST_BYTES = 8_000_000

# Runs after the page's own script, in the same document; what it returns comes back as JSON.
HELPERS = """
const all = (selector) => [...document.querySelectorAll(selector)];
const press = (key, target) => target.dispatchEvent(
  new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const pointAt = (svg, x, y) => {
  const frame = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent("pointermove", {
    clientX: frame.left + frame.width * x, clientY: frame.top + frame.height * y, bubbles: true }));
};
const search = (text) => {
  const input = document.querySelector("input[type=search]");
  input.value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
};
const select = (label, value) => {
  const picker = all(".picker").find((one) => one.textContent.startsWith(label));
  picker.querySelector("select").value = value;
  picker.querySelector("select").dispatchEvent(new Event("change", { bubbles: true }));
};
while (!document.documentElement.dataset.rowsMs) await new Promise((wake) => setTimeout(wake, 5));
const result = (() => { %s })();
document.documentElement.dataset.result = JSON.stringify(result);
"""


def probe(page: Path, code: str, *flags: str):
    """What `code` returns inside the page, and what the browser's console said."""
    script = HELPERS % code
    digest = b64encode(sha256(script.encode()).digest()).decode()
    text = page.read_text(encoding="utf-8")
    text = text.replace("script-src '", f"script-src 'sha256-{digest}' '", 1)
    probed = page.with_name("probed.html")
    probed.write_text(
        text.replace("</body>", f'<script type="module">{script}</script></body>'),
        encoding="utf-8",
    )
    command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={page.parent / 'browser'}",
               probed.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = re.findall(r"CONSOLE.*", done.stderr)
    found = re.search(r'data-result="([^"]*)"', done.stdout)
    assert found, said or done.stderr
    return json.loads(html.unescape(found[1])), said


@pytest.fixture(scope="module")
def large(tmp_path_factory, make_judged):
    """2,000 rows and four models, whose texts are hostile."""
    folder = tmp_path_factory.mktemp("large") / "run"
    return write_report(make_judged(folder, rows=2_000, text=HOSTILE))


@pytest.fixture(scope="module")
def compared(tmp_path_factory, make_compared):
    """Four models' programs for 2,000 rows, of 20,000 characters each."""
    folder = tmp_path_factory.mktemp("compared")
    answer = f"{HOSTILE} \u202e\U0001f600 " + "x = 1\n" * 3_300
    names = ("one", "two", "three", "four")
    return make_compared(folder, task="code", rows=2_000, names=names, text=LONG, answer=answer)


def test_a_large_page_is_drawn_silently(large):
    got, said = probe(
        large,
        """return {
          points: all("#scatter path.point").length,
          charts: all("svg.chart").map((svg) => svg.querySelectorAll("path, circle, .bin").length),
          sections: all("section").map((section) => section.id),
          links: all("nav a").map((link) => link.hash.slice(1)),
          rows: all("#rows article").length,
        }""",
    )
    assert said == []
    assert got["points"] == 2_000
    assert len(got["charts"]) == 5
    assert min(got["charts"]) > 0
    assert got["rows"] == 20
    assert got["sections"] == got["links"] == [
        "verdict", "scores", "pairs", "slices", "running", "agreement", "scatter", "rows",
        "training", "memory", "lengths", "tokens", "recipe", "environment",
    ]  # fmt: skip


def test_four_models_and_2000_rows_are_below_8_mb_and_every_row_is_found(compared):
    assert compared.stat().st_size < MOST_BYTES
    got, said = probe(
        compared,
        """const status = () => document.querySelector("#rows [role=status]").textContent;
        const before = status();
        search("needle 1987");
        const marks = all("#rows article mark").map((mark) => mark.textContent);
        const found = [status(), all("#rows article h3").map((one) => one.textContent)];
        search("x = 1");
        return { before, marks, found, everywhere: status(),
          truth: document.querySelector("#rows .truth").textContent,
          notes: all("#rows .said small").map((one) => one.textContent).slice(0, 1),
          headings: document.querySelector("#pairs tbody tr").textContent }""",
    )
    assert said == []
    assert got["before"] == "2,000 rows of 2,000 found, 20 drawn."
    assert got["found"][1] == ["Row 19870"]
    assert set(got["marks"]) == {"needle", "1987"}
    assert got["everywhere"].startswith("2,000 rows of 2,000")
    assert re.fullmatch(r"Cut after [\d,]+ of 19,\d+ characters.", got["notes"][0])
    assert "one minus two" in got["headings"]
    assert got["truth"].splitlines()[1] == "assert double(1) == 2"


def test_rows_are_filtered_sorted_and_drawn_on(compared):
    got, said = probe(
        compared,
        """const marks = () => all("#rows article").map((row) => {
          const found = [...row.querySelectorAll(".said .mark")];
          return found.map((mark) => mark.textContent[0]).join("");
        });
        const status = () => document.querySelector("#rows [role=status]").textContent;
        select("Only", "behind");
        const behind = marks();
        select("Model B", "four");
        select("Only", "right");
        const right = marks();
        select("Only", "all");
        select("category", "=garden");
        select("Order", "row");
        const rows = all("#rows article h3").slice(0, 2).map((one) => one.textContent);
        const garden = status();
        all("#rows > button")[0].click();
        return { behind, right, rows, garden, drawn: all("#rows article").length,
          focused: document.activeElement.querySelector("h3").textContent }""",
    )
    assert said == []
    assert len(got["behind"]) == 20
    assert {marks[:2] for marks in got["behind"]} == {"✗✓"}
    assert {marks[0] + marks[3] for marks in got["right"]} == {"✓✓"}
    assert got["rows"] == ["Row 10", "Row 40"]
    assert got["garden"].startswith("667 rows of 2,000")
    assert got["drawn"] == 40
    assert got["focused"] == "Row 610"


def test_pairs_are_turned_to_the_model_that_is_asked_for(compared):
    got, said = probe(
        compared,
        """const lines = () => all("#pairs tbody tr").map((tr) => tr.textContent);
        const before = lines();
        all("#pairs input")[2].click();
        return { before, after: lines(), hollow: all("#pairs .hollow").length }""",
    )
    assert said == []
    assert len(got["before"]) == 6
    assert got["before"][0].startswith("one minus two")
    assert [line.split(" ")[2][:3] for line in got["after"]] == ["one", "thr", "fou"]
    assert "one is better" in got["before"][0]
    assert "two is worse" in got["after"][0]


@pytest.mark.parametrize("task", ["number", "label", "text", "loss"])
def test_every_task_is_drawn(tmp_path, make_compared, task):
    page = make_compared(tmp_path / "compared", task=task, text=HOSTILE)
    got, said = probe(
        page,
        """return { sections: all("section").map((section) => section.id),
          matrices: all(".matrix").length, rows: all("#rows article").length }""",
    )
    assert said == []
    assert ("confusion" in got["sections"]) == (task == "label")
    assert ("scatter" in got["sections"]) == (task == "number")
    assert got["matrices"] == 1 + (task == "label")
    assert got["rows"] == 20


def test_hostile_texts_are_shown_and_nothing_else(large):
    got, said = probe(
        large,
        """const chart = document.querySelector("#scatter svg.chart");
        press("Home", chart);
        return {
          title: document.title,
          scripts: all("script").length,
          images: all("img").length,
          shown: document.querySelector("#scatter .card .row-text").textContent,
          row: document.querySelector("#rows .row-text").textContent,
        }""",
    )
    assert said == []
    assert got["title"] == "tiny · Nybble report"
    assert got["scripts"] == 4  # the data, the rows, the page's and the probe's
    assert got["images"] == 0
    assert got["shown"].startswith(HOSTILE)
    assert got["row"].startswith(HOSTILE)


def test_a_model_is_switched_and_points_are_walked(large):
    got, said = probe(
        large,
        """const chart = document.querySelector("#scatter svg.chart");
        const forms = () => all("#scatter .point").map((c) => c.getAttribute("d")).join();
        const before = forms();
        press("ArrowRight", chart);
        const first = chart.getAttribute("aria-valuetext");
        press("End", chart);
        const last = chart.getAttribute("aria-valuetext");
        all("#scatter input")[1].click();
        const ticked = () => all("#scatter .grid text").map((t) => t.textContent).join();
        const linear = ticked();
        all("#scatter input").at(-1).click();
        const line = all("#running svg.chart")[0];
        pointAt(line, 0.5, 0.5);
        all("#running input")[2].click();
        return { moved: before !== forms(), first, last,
          other: chart.getAttribute("aria-valuetext"), relabelled: linear !== ticked(),
          readout: line.getAttribute("aria-valuetext"),
          lines: all("#running svg.chart .line").length }""",
    )
    assert said == []
    assert got["moved"]
    assert got["relabelled"]
    assert got["first"] != got["last"]
    assert "tuned model" in got["last"]
    assert "few-shot base" in got["other"]
    assert re.search(r"test rows .* tuned model .* \[", got["readout"])
    assert got["lines"] == 3


def test_a_phone_shows_it_without_sideways_scrolling(large):
    got, _ = probe(
        large,
        """return { inner: innerWidth, wide: document.documentElement.scrollWidth,
          cards: getComputedStyle(document.querySelector("tbody tr")).display,
          matrix: getComputedStyle(document.querySelector(".matrix tr")).display }""",
        "--window-size=390,844",
    )
    assert got["inner"] <= 500
    assert got["wide"] <= got["inner"]
    assert (got["cards"], got["matrix"]) == ("block", "table-row")


def test_the_theme_follows_the_system_until_the_button_is_pressed(large):
    code = """const paper = () => getComputedStyle(document.body).backgroundColor;
    const button = document.getElementById("theme");
    const before = [paper(), button.getAttribute("aria-pressed")];
    button.click();
    return [before, [paper(), button.getAttribute("aria-pressed")]]"""
    light, _ = probe(large, code)
    dark, _ = probe(large, code, "--blink-settings=preferredColorScheme=0")
    assert light[0][1] == "false"
    assert light == dark[::-1]


def test_a_run_that_only_trained_is_drawn(tmp_path, make_trained):
    page = write_report(make_trained(tmp_path / "run", on_gpu=True))
    got, said = probe(
        page,
        """return { sections: all("section").map((section) => section.id),
          lead: document.querySelector(".lead").textContent,
          bars: all(".memory").length, scored: all("#tokens figure mark").length,
          special: all("#tokens figure .special").length }""",
    )
    assert said == []
    assert got["sections"] == [
        "verdict", "training", "memory", "lengths", "tokens", "recipe", "environment",
    ]  # fmt: skip
    assert "not evaluated" in got["lead"]
    assert (got["bars"], got["scored"], got["special"]) == (2, 3, 3)
