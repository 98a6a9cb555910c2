"""The page of four models and 2,000 rows: bytes, and how long headless Chromium takes to open it.

    python benchmarks/report_page.py [OUT.json]

The rows are long (prompts of 1,500 characters, answers of 900 that end in a number) and unlike one
another, so that they compress as prose does; the scatter of all of them is drawn too. Times are the
page's own, from the start of the navigation: when the first tables are drawn, and when the rows are
unpacked and drawn too. The figure is the median of five openings, each in a fresh profile.
"""

import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from nybble.evaluation.comparison import compare
from nybble.evaluation.contender import Contender
from nybble.evaluation.metrics.numbers import Thresholds
from nybble.evaluation.slices import slicings
from nybble.evaluation.task import Item
from nybble.evaluation.tasks.number import NumberTask
from nybble.pipeline.judged_files import side_by_side
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.report.page import write_comparison_report

MODELS = ("tuned", "few-shot base", "other adapter", "remote")
ROWS, OPENINGS = 2_000, 5
MOST_BYTES, MOST_MS = 8_000_000, 2_000
RESULT = Path(__file__).parent / "results" / "report_page.json"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--dump-dom", "--timeout=10000",
)  # fmt: skip
CATEGORIES = ("toys", "garden", "books")
SYLLABLES = ("ka", "lo", "mi", "ren", "tas", "vor", "el", "un", "shi", "gra", "pe", "not", "ix")


def main(out: Path = RESULT) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("This benchmark needs chromium, which is not installed.")
    with tempfile.TemporaryDirectory() as scratch:
        page = make_page(Path(scratch))
        opened = [open_once(browser, page) for _ in range(OPENINGS)]
        result = {
            "models": len(MODELS),
            "rows": ROWS,
            "openings": OPENINGS,
            "bytes": page.stat().st_size,
            **{f"{name}_ms": statistics.median(times[name] for times in opened)
               for name in ("drawn", "rows")},
            "slowest_rows_ms": max(times["rows"] for times in opened),
        }  # fmt: skip
    out.write_text(json.dumps(result, indent=2) + "\n")
    show(result)


def make_page(folder: Path) -> Path:
    """The page of made-up answers, through the comparison and the page that users get."""
    rng = random.Random(0)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(5_000)]

    def prose(characters: int) -> str:
        text = ""
        while len(text) < characters:
            text += rng.choice(words) + " "
        return text[:characters]

    items = [
        Item(i, prose(1_500), rng.lognormvariate(4, 1), {"category": rng.choice(CATEGORIES)})
        for i in range(ROWS)
    ]
    task = NumberTask(50.0, Thresholds(40, 0.2, 80, 0.4), extract="last")
    contenders = []
    for place, name in enumerate(MODELS):
        guesses = (rng.lognormvariate(4, 1) if rng.random() < 0.2 * place else item.truth
                   for item in items)  # fmt: skip
        answers = [(f"{prose(900)} {guess:.2f}",) for guess in guesses]
        contenders.append(Contender(name, "adapter", task.judge(items, answers)))
    part = EvaluatePart(task="number", slices=["category"])
    comparison = compare(task, contenders, 0, slicings(items, part.slices, task.name))
    comparison |= {"rows_of": "made-up rows", "notes": []}
    values = (("comparison", comparison), ("predictions", side_by_side(items, contenders, part)))
    for name, value in values:
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return write_comparison_report(folder)


def open_once(browser: str, page: Path) -> dict[str, float]:
    """Milliseconds to the first tables, and to the drawn rows."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", page.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-drawn-ms="(\d+)" data-rows-ms="(\d+)"', done.stdout)
    if not found:
        raise SystemExit("The page was not drawn.")
    return {"drawn": float(found[1]), "rows": float(found[2])}


def show(result: dict[str, Any]) -> None:
    table = Table(title=f"Page of {result['models']} models and {result['rows']:,} rows")
    for heading in ("", "measured", "bar"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row("size", f"{result['bytes'] / 1e6:.2f} MB", f"{MOST_BYTES / 1e6:.0f} MB")
    table.add_row("first tables", f"{result['drawn_ms']:.0f} ms", f"{MOST_MS} ms")
    table.add_row("rows drawn", f"{result['rows_ms']:.0f} ms", f"{MOST_MS} ms")
    Console().print(table)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
