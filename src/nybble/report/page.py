"""`report.html`: everything that a run's files say, on one page that needs nothing else.

The files of `page/` are put into one, with what is shown as JSON and the rows packed beside it, so
that the first tables are there before the rows are unpacked. Texts come from strangers: they are
only ever JSON or base64 here, and text nodes there.
"""

import hashlib
import json
import re
from base64 import b64encode
from pathlib import Path
from string import Template
from typing import Any

from nybble.report.contents import Contents, comparison_contents, run_contents
from nybble.report.rows import packed
from nybble.runs.atomic import write_text
from nybble.runs.folder import RunFolder, open_run_folder

PARTS = Path(__file__).parent / "page"
STYLES = ("page.css", "charts.css", "rows.css", "print.css")
# In the order in which they build on each other.
SCRIPTS = (
    "nodes.js", "numbers.js", "axes.js", "lines.js", "models.js", "scores.js", "pairs.js",
    "matrices.js", "scatter.js", "unpack.js", "explorer.js", "cards.js", "tokens.js",
    "sections.js", "training.js", "lengths.js", "start.js",
)  # fmt: skip
# What could end the script element or begin a comment in it, and what is no character in UTF-8.
_UNSAFE = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def write_report(folder: RunFolder) -> Path:
    """Write `report.html` into the run's folder; gives its path.

    What the run did not get to is left out. Raises `InputError` when the folder is no run's.
    """
    open_run_folder(folder.path)
    path = folder.path / "report.html"
    write_text(path, page(run_contents(folder)))
    return path


def write_comparison_report(folder: Path) -> Path:
    """Write `report.html` beside the `comparison.json` of `nybble compare`; gives its path.

    Raises `InputError` when there is none. Without `predictions.json` the rows are left out.
    """
    path = folder / "report.html"
    write_text(path, page(comparison_contents(folder)))
    return path


def write_report_in(folder: Path) -> Path:
    """Write the page of a run or of a comparison, whichever `folder` is; gives its path."""
    is_run = RunFolder(folder).recipe.is_file() or not (folder / "comparison.json").is_file()
    return write_report(RunFolder(folder)) if is_run else write_comparison_report(folder)


def page(contents: Contents) -> str:
    """The page that shows `contents`."""
    style = "\n".join(map(_part, STYLES))
    script = "\n".join(map(_part, SCRIPTS))
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return Template(_part("template.html")).substitute(
        policy=policy,
        style=style,
        script=script,
        data=embedded(contents.sections),
        rows=packed(contents.rows) if contents.rows else "",
    )


def embedded(value: Any) -> str:
    """`value` as JSON that is safe between <script> tags, whatever its texts hold."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return "\ufffd" if "\ud800" <= character <= "\udfff" else f"\\u{ord(character):04x}"


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """By this the browser knows our script and style, and refuses any other."""
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
