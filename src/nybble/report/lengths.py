"""How long rows are, in the terminal: a histogram, percentiles, and what cut-offs would cost."""

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

MOST_BARS, BAR_WIDTH = 16, 40
EIGHTHS = " ▏▎▍▌▋▊▉"


def print_lengths(measured: dict[str, Any]) -> None:
    """What `nybble data stats` measured."""
    console = Console(highlight=False)
    field = measured["field"]
    if field is not None:
        _print_part(console, f"Field {field['name']}", field)
    _print_part(console, "Whole rows", measured["rows"])
    console.print(
        "Time goes with the tokens kept, memory with the longest row; padding is that of batches "
        f"of {measured['batch_size']} rows as they come."
    )
    console.print(escape(numbers_line(measured["numbers"])))
    for name, part in (("data.truncate.max_tokens", field), ("data.max_length", measured["rows"])):
        if part is not None:
            advice = part["recommended"]
            console.print(f"[bold]{name}={advice['max_length']}[/]: {advice['reason']}.")


def _print_part(console: Console, title: str, part: dict[str, Any]) -> None:
    console.print(
        f"[bold]{escape(title)}[/]: {part['rows']:,} rows, {part['tokens']:,} tokens, "
        f"{part['mean']:.0f} a row, {part['longest']:,} at most\n"
    )
    for line in bars(**part["histogram"]):
        console.print(line)
    percentiles = part["percentiles"]
    console.print("\nOf 100 rows, so many have at most:")
    console.print("  " + "   ".join(f"{p}: {tokens:,}" for p, tokens in percentiles.items()))
    console.print(cut_off_table(part["cut_offs"]))


def bars(counts: list[int], edges: list[int]) -> list[str]:
    """The histogram as at most 16 lines: tokens from and to, a bar, the number of rows."""
    merged = -(-len(counts) // MOST_BARS)
    starts = range(0, len(counts), merged)
    sums = [sum(counts[i : i + merged]) for i in starts]
    ends = [edges[min(i + merged, len(counts))] - 1 for i in starts]
    wide = len(f"{ends[-1]:,}")
    lines = []
    for start, end, rows in zip((edges[i] for i in starts), ends, sums, strict=True):
        whole, rest = divmod(round(rows / max(sums) * BAR_WIDTH * 8), 8)
        bar = "█" * whole + EIGHTHS[rest].strip()
        lines.append(f"  {start:>{wide},} to {end:>{wide},}  {bar} {rows:,}")
    return lines


def cut_off_table(cut_offs: list[dict[str, Any]]) -> Table:
    """One line per cut-off."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("cut at", "rows cut", "tokens kept", "padding", "time", "memory"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in cut_offs:
        shares = (line[name] for name in
                  ("rows_cut", "tokens_kept", "padding_wasted", "step_time", "memory"))  # fmt: skip
        table.add_row(f"{line['tokens']:,}", *(_percent(share) for share in shares))
    return table


def _percent(share: float) -> str:
    """With a digit after the point where whole per cents would say 0 or 100 of what is not."""
    text = f"{share:.0%}"
    rough = (text == "0%" and share > 0) or (text == "100%" and share < 1)
    return ("<0.1%" if 0 < share < 0.0005 else f"{share:.1%}") if rough else text


def numbers_line(numbers: dict[str, Any]) -> str:
    """How the tokenizer splits 0 to 999, in words."""
    if numbers["single"] == 1000:
        return "Numbers: each of 0 to 999 is one token."
    example = numbers["example"]
    return (
        f"Numbers: {numbers['single']:,} of 0 to 999 are one token, the others up to "
        f"{numbers['most']}: {example['number']} is {' '.join(example['tokens'])}."
    )
