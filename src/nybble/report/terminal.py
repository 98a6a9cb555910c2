"""What a run prints: the comparison as a table, the verdict, a live tally."""

from collections import Counter
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nybble.evaluation.comparison import rounded

TITLES = {"mae": "Mean absolute error"}
COLOURS = {"green": "green", "orange": "yellow", "red": "red"}


def interval_text(interval: dict[str, float]) -> str:
    """`12.3 [11.2, 13.5]`."""
    value, low, high = (rounded(interval[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def comparison_table(comparison: dict[str, Any]) -> Table:
    """One line per model and reference: error, paired difference of the tuned model to it, colours.

    A difference whose interval excludes zero is bold.
    """
    title = f"{TITLES[comparison['metric']]} on {comparison['n']:,} held-out rows, 95% intervals"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for heading in ("error", "tuned minus this", "[green]●[/]/[yellow]●[/]/[red]●[/] %"):
        table.add_column(heading, justify="right", no_wrap=True)
    tuned = comparison["tuned_name"]
    lines = {
        tuned: (comparison["tuned"], None),
        comparison["baseline_name"]: (comparison["baseline"], comparison["difference"]),
    }
    for name, value in comparison["references"].items():
        lines[name] = (value, value["difference"])
    for name, (value, difference) in lines.items():
        table.add_row(
            escape(name),
            escape(interval_text(value)),
            _difference(difference) if difference else "",
            _shares(comparison["colours"][name]),
            style="bold" if name == tuned else "",
        )
    return table


def _difference(difference: dict[str, float]) -> str:
    text = interval_text(difference)
    if difference["high"] < 0:
        return f"[bold green]{escape(text)}[/]"
    return f"[bold red]{escape(text)}[/]" if difference["low"] > 0 else escape(text)


def _shares(shares: dict[str, float]) -> str:
    return "/".join(f"[{style}]{100 * shares[name]:.0f}[/]" for name, style in COLOURS.items())


def print_comparison(comparison: dict[str, Any], verdict: str) -> None:
    """The table, what share of the answers could be read, and the verdict in words."""
    console = Console(highlight=False)
    console.print()
    console.print(comparison_table(comparison))
    console.print(f"[bold]{escape(verdict)}[/]")


class Tally:
    """Counts of green, orange and red answers while they come in."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, colour: str) -> str:
        """Count one answer; gives the note for the progress bar."""
        self.counts[colour] += 1
        return "  ".join(f"[{style}]●[/] {self.counts[name]}" for name, style in COLOURS.items())

    def plain(self) -> str:
        return ", ".join(f"{self.counts[name]} {name}" for name in COLOURS)
