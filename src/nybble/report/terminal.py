"""What a run or a comparison prints: the table, the verdict, a live tally."""

import math
from collections import Counter
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nybble.evaluation.task import Judged
from nybble.evaluation.verdict import pair_of
from nybble.evaluation.words import MetricWords, rounded, words_of

COLOURS = {"green": "green", "orange": "yellow", "red": "red"}
OUTCOMES = {"better": "bold green", "worse": "bold red"}


def interval_text(interval: dict[str, float], share: bool = False) -> str:
    """`12.3 [11.2, 13.5]`; in percent for a share."""
    scale = 100 if share else 1
    value, low, high = (rounded(scale * interval[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def comparison_table(comparison: dict[str, Any]) -> Table:
    """One line per model: the metric, the difference of the tuned model (without one, of the first)
    to it, for numbers the colours, for remote models the cost.

    A difference is bold where it is shown.
    """
    words = words_of(comparison["metric"])
    table = Table(
        title=_title(comparison, words), title_justify="left", box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    models = _ordered(comparison)
    subject = models[0]["name"]
    against = "tuned minus this" if "tuned_name" in comparison else f"{escape(subject)} minus this"
    columns = {"": [escape(model["name"]) for model in models]}
    columns["value"] = [escape(interval_text(model, words.share)) for model in models]
    if len(models) > 1:
        columns[against] = [_difference(comparison, subject, m["name"], words) for m in models]
    if comparison["task"] == "number":
        heading = "[green]●[/]/[yellow]●[/]/[red]●[/] %"
        columns[heading] = [_shares(model["metrics"]) for model in models]
    if any(model["cost_dollars"] is not None for model in models):
        columns["cost"] = [_cost(model["cost_dollars"]) for model in models]
    for heading in columns:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for place, line in enumerate(zip(*columns.values(), strict=True)):
        table.add_row(*line, style="" if place else "bold")
    return table


def print_comparison(comparison: dict[str, Any]) -> None:
    """The table, what could not be read, and the verdict in words."""
    console = Console(highlight=False)
    console.print()
    console.print(comparison_table(comparison))
    for line in unread_lines(comparison):
        console.print(escape(line))
    console.print(f"[bold]{escape(comparison['verdict'])}[/]")


def unread_lines(comparison: dict[str, Any]) -> list[str]:
    """For each model with answers that could not be read: their share, and the metric without."""
    words = words_of(comparison["metric"])
    lines = []
    for model in comparison["models"]:
        if model["parse_rate"] < 1:
            share, only = 100 * (1 - model["parse_rate"]), model["parsed_only"]
            line = f"{model['name']}: {rounded(share)}% of its answers could not be read"
            if only["value"] is not None:
                line += f"; on the other {only['n']:,} rows: {interval_text(only, words.share)}"
            lines.append(line)
    return lines


class Tally:
    """What the answers are worth so far, while they come in: colours of numbers, else the mean."""

    def __init__(self, metric: str) -> None:
        self.words = words_of(metric)
        self.colours: Counter[str] = Counter()
        self.total, self.count = 0.0, 0

    def add(self, judged: Judged) -> str:
        """Count one answer; gives the note for the progress bar."""
        self.total += judged.score
        self.count += 1
        if "colour" not in judged.detail:
            return self.plain()
        self.colours[str(judged.detail["colour"])] += 1
        return "  ".join(f"[{style}]●[/] {self.colours[name]}" for name, style in COLOURS.items())

    def plain(self) -> str:
        """The same without colours; empty before the first answer is judged."""
        if not self.count:
            return ""
        if self.colours:
            return ", ".join(f"{self.colours[name]} {name}" for name in COLOURS)
        return f"{self.words.title.lower()} {self.words.value(self.total / self.count)}"


def _title(comparison: dict[str, Any], words: MetricWords) -> str:
    unit = ", in %" if words.share else ""
    better = "higher" if comparison["higher_is_better"] else "lower"
    return (
        f"{escape(words.title)}{unit} on {comparison['n']:,} held-out rows, 95% intervals; "
        f"{better} is better"
    )


def _ordered(comparison: dict[str, Any]) -> list[dict[str, Any]]:
    """Models as the table lists them: a run's tuned one and its baseline first."""
    first = [comparison.get("tuned_name"), comparison.get("baseline_name")]
    models: list[dict[str, Any]] = comparison["models"]
    return sorted(models, key=lambda m: first.index(m["name"]) if m["name"] in first else 2)


def _difference(comparison: dict[str, Any], subject: str, name: str, words: MetricWords) -> str:
    if name == subject:
        return ""
    pair = pair_of(comparison, subject, name)
    text = escape(interval_text(pair["difference"], words.share))
    style = OUTCOMES.get(pair["outcome"])
    return f"[{style}]{text}[/]" if style else text


def _shares(shares: dict[str, float]) -> str:
    """Whole percents, halves upwards as on the page."""
    percents = {name: math.floor(100 * shares[name] + 0.5) for name in COLOURS}
    return "/".join(f"[{style}]{percents[name]}[/]" for name, style in COLOURS.items())


def _cost(dollars: float | None) -> str:
    return "" if dollars is None else f"${dollars:.4f}"
