"""Rows token by token in the terminal: what is scored in colour, special tokens standing out."""

from typing import Any

from rich.console import Console
from rich.text import Text

SCORED, UNSCORED, SPECIAL = "black on green", "default", "bold magenta"
# Two tokens side by side have to be told apart.
SCORED_NEXT, UNSCORED_NEXT = "black on bright_green", "dim"


def print_rows(rows: list[dict[str, Any]], ids: bool) -> None:
    """Each row with a head line; with `ids`, a line for each token."""
    console = Console(highlight=False)
    for row in rows:
        count, scored = len(row["input_ids"]), sum(row["scored"])
        console.print(f"[bold]row {row['source_row']:,}[/]: {count:,} tokens, {scored:,} scored")
        if ids:
            for line in id_lines(row):
                console.print(line, soft_wrap=True)
        else:
            console.print(colored(row), soft_wrap=True)
        console.print()
    console.print(
        Text.assemble("The model is trained to say ", ("this", SCORED), ", and reads the rest; ",
                      ("<this>", SPECIAL), " is a special token.")
    )  # fmt: skip


def colored(row: dict[str, Any]) -> Text:
    """The row's text, scored tokens on green; shades alternate from token to token."""
    text = Text()
    for place, (token, scored, special) in enumerate(_tokens(row)):
        odd = place % 2
        plain = (SCORED_NEXT if odd else SCORED) if scored else (UNSCORED_NEXT if odd else UNSCORED)
        text.append(visible(token), f"{SPECIAL} on green" if special and scored else
                    SPECIAL if special else plain)  # fmt: skip
    return text


def id_lines(row: dict[str, Any]) -> list[Text]:
    """A line for each token: its place, its id, whether it is scored, its text."""
    lines = []
    for place, (token, scored, special) in enumerate(_tokens(row)):
        style = SPECIAL if special else SCORED if scored else ""
        mark = ("●", "green") if scored else ("·", "dim")
        head = f"{place:>6} {row['input_ids'][place]:>7} "
        lines.append(Text.assemble(head, mark, " ", (repr(token)[1:-1], style)))
    return lines


def visible(token: str) -> str:
    """`token` with a sign for each control character: none may reach a stranger's terminal."""
    shown = "".join(chr(0x2400 + ord(c)) if ord(c) < 32 and c != "\n" else c for c in token)
    return shown.replace("\x7f", "␡").replace("\n", "↵\n")


def _tokens(row: dict[str, Any]) -> list[tuple[str, bool, bool]]:
    return list(zip(row["tokens"], row["scored"], row["special"], strict=True))
