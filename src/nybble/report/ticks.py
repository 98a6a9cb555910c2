"""Lists of what is well and what is not, with a mark, a name and a finding in each line."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from nybble.runs.secrets import masked

MARKS = {"ok": ("✓", "green"), "note": ("•", "yellow"), "error": ("✗", "red")}

Line = tuple[str, str, str, str]


def tick_lines(lines: Iterable[Line]) -> list[Text]:
    """One line for each (status, name, finding, fix); a fix, where there is one, below it.

    Status is ok, note or error.
    """
    lines = list(lines)
    width = max((len(name) for _, name, _, _ in lines), default=0)
    drawn = []
    for status, name, found, fix in lines:
        mark, style = MARKS[status]
        text = masked(f"{name:<{width}}  {found}".rstrip())
        drawn.append(Text.assemble((mark, style), " ", text))
        if fix:
            drawn.append(Text.assemble(" " * (width + 4), ("→ ", style), masked(fix)))
    return drawn


def print_verdict(verdict: dict[str, Any]) -> None:
    """What `nybble verify` found: a line per file, then whether the folder is whole."""
    files = verdict["files"]
    _print(tick_lines((file["status"], file["file"], file["found"], "") for file in files))
    if broken := [file for file in files if file["status"] == "error"]:
        there = sum(file["status"] != "note" for file in files)
        print(f"Not whole: {len(broken)} of {there} files missing or broken.")
        print(masked("\n".join(verdict["fixes"])))
    else:
        print(f"The {verdict['kind']} in {masked(verdict['folder'])} is whole.")


def print_health(health: dict[str, Any]) -> None:
    """What `nybble doctor` found: a line per check, each with the one thing to do if there is."""
    _print(tick_lines((c["status"], c["name"], c["found"], c["fix"]) for c in health["checks"]))
    print("Ready to train." if health["ready"] else "Not ready: do what is said after →.")


def _print(lines: list[Text]) -> None:
    console = Console(highlight=False)
    for line in lines:
        # A path that is cut into two lines cannot be copied.
        console.print(line, soft_wrap=True)
