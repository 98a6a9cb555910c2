"""The page in a real browser: drawn, silent, fast, and deaf to what row texts try."""

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
    "--enable-logging=stderr", "--dump-dom",
)  # fmt: skip
HOSTILE = "</script><script>document.title='x'</script><img src=x onerror=document.title='x'>"
MOST_MS = 2_000

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
    return write_report(
        make_judged(tmp_path_factory.mktemp("large") / "run", rows=2_000, text=HOSTILE)
    )


def test_a_large_page_is_drawn_quickly_and_silently(large):
    got, said = probe(
        large,
        """return {
          ms: Number(document.documentElement.dataset.drawnMs),
          points: all("#scatter circle.point").length,
          charts: all("svg.chart").map((svg) => svg.querySelectorAll("path, circle, .bin").length),
          sections: all("section").map((section) => section.id),
        }""",
    )
    assert said == []
    assert got["ms"] < MOST_MS
    assert got["points"] == 2_000
    assert len(got["charts"]) == 5
    assert min(got["charts"]) > 0
    assert got["sections"] == [
        "verdict", "scores", "scatter", "running", "training", "memory", "rows", "lengths",
        "tokens", "recipe", "environment",
    ]  # fmt: skip


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
    assert got["scripts"] == 3  # the data, the page's and the probe's
    assert got["images"] == 0
    assert got["shown"].startswith(HOSTILE)
    assert got["row"].startswith(HOSTILE)


def test_a_model_is_switched_and_rows_are_walked(large):
    got, said = probe(
        large,
        """const chart = document.querySelector("#scatter svg.chart");
        const heights = () => all("#scatter .point").map((c) => c.getAttribute("cy")).join();
        const before = heights();
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
        return { moved: before !== heights(), first, last,
          other: chart.getAttribute("aria-valuetext"), relabelled: linear !== ticked(),
          readout: line.getAttribute("aria-valuetext"), lines: all("#running .line").length }""",
    )
    assert said == []
    assert got["moved"]
    assert got["relabelled"]
    assert got["first"] != got["last"]
    assert "tuned model" in got["last"]
    assert "few-shot base" in got["other"]
    assert re.search(r"test rows .* tuned model .* \[", got["readout"])
    assert got["lines"] == 4


def test_a_phone_shows_it_without_sideways_scrolling(large):
    got, _ = probe(
        large,
        """return { inner: innerWidth, wide: document.documentElement.scrollWidth,
          cards: getComputedStyle(document.querySelector("td")).display }""",
        "--window-size=390,844",
    )
    assert got["inner"] <= 500
    assert got["wide"] <= got["inner"]
    assert got["cards"] == "block"


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
