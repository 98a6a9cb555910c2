"""What a person sees of a training: a live view in a terminal, and elsewhere a line now and then.

What is printed meanwhile, a warning or a save, appears above the view. The view is never wider than
`WIDTH`, so that a terminal made narrower does not break its lines.
"""

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.console import Console, Group, OverflowMethod, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nybble.runs.atomic import read_json_lines
from nybble.training.progress import Watch
from nybble.training.sparkline import ASCII_BARS, BARS, Curve, sparkline

WIDTH = 72
REFRESHES_PER_SECOND = 2.0
# The rate and the time left are those of so many last steps.
RECENT_STEPS = 50
GIGABYTE = 1e9


@dataclass(frozen=True)
class Expected:
    """What the numbers of a step are held against; None, or 0, where it is not known.

    FLOP of a token in the linears, and of a scored one in the head; what the device's matrix
    products reach, in FLOP a second; the plan's memory.
    """

    max_grad_norm: float
    flop_per_token: float = 0.0
    flop_per_scored_token: float = 0.0
    flop_per_second: float | None = None
    planned_bytes: int = 0


class Told(NamedTuple):
    """A step of which the view was told."""

    when: float
    step: int
    seconds: float
    tokens: float
    scored: float


class LiveView:
    """A watcher that shows a training; `metrics` has what was done before a resume."""

    def __init__(self, metrics: Path, expected: Expected) -> None:
        self.metrics = metrics
        self.expected = expected
        self.console = Console()
        self.live: Live | None = None
        self.plain: Watch | None = None
        self.lock = threading.Lock()
        self._clear(1, 0)

    def _clear(self, total: int, first: int) -> None:
        self.total, self.step = total, first
        self.curve = Curve(total)
        self.last: dict[str, float] = {}
        self.checks: list[tuple[float, int]] = []
        # Of recent steps that were told: when and which, and its seconds, tokens, scored tokens.
        self.recent: deque[Told] = deque(maxlen=RECENT_STEPS + 1)

    def begin(self, total_steps: int, first_step: int) -> None:
        self._clear(total_steps, first_step)
        if first_step and self.metrics.exists():
            for line in read_json_lines(self.metrics):
                if line["step"] <= first_step:
                    self._take(line)
        self.recent.append(Told(time.monotonic(), first_step, 0.0, 0.0, 0.0))
        if not sys.stdout.isatty() or self.console.is_dumb_terminal:
            self.plain = Watch("training", total_steps, first_step, None, None)
            return
        self.live = Live(
            get_renderable=self.render,
            console=self.console,
            refresh_per_second=REFRESHES_PER_SECOND,
        )
        self.live.start(refresh=True)

    def record(self, values: Mapping[str, float | int | str]) -> None:
        with self.lock:
            self._take(values)
            if "loss" in values:
                names = ("step_seconds", "tokens", "scored_tokens")
                numbers = (float(values.get(name, 0)) for name in names)
                self.recent.append(Told(time.monotonic(), self.step, *numbers))
        if self.plain and "loss" in values:
            note = f"loss {self.last['loss']:.3f}  {self.rates()[0]:,.0f} tokens/s"
            self.plain.update(self.step, note)

    def saved(self, step: int, checkpoint: Path) -> None:
        """Told by whoever writes it."""

    def end(self) -> None:
        if self.live:
            self.live.stop()
            self.live = None

    def _take(self, values: Mapping[str, float | int | str | None]) -> None:
        self.step = int(values["step"] or 0)
        numbers = {k: float(v) for k, v in values.items() if isinstance(v, int | float)}
        self.last |= numbers
        if "loss" in numbers:
            self.curve.add(self.step, numbers["loss"])
        if math.isfinite(numbers.get("validation_loss", math.nan)):
            self.checks.append((numbers["validation_loss"], self.step))

    def rates(self) -> tuple[float, float, float]:
        """Tokens and scored tokens a second of the steps that were told lately; and steps a second
        since the first of them, with validation and saves. 0 before the first."""
        first, *told = self.recent
        busy = sum(one.seconds for one in told)
        seconds = told[-1].when - first.when if told else 0.0
        if busy <= 0 or seconds <= 0:
            return 0.0, 0.0, 0.0
        tokens, scored = sum(one.tokens for one in told), sum(one.scored for one in told)
        return tokens / busy, scored / busy, (told[-1].step - first.step) / seconds

    def render(self) -> RenderableType:
        """The view as it is now; called from a thread of Rich's."""
        with self.lock:
            width = max(20, min(WIDTH, self.console.width - 1))
            rows = self._rows(width - 12)
            cut: OverflowMethod = "crop" if self._ascii else "ellipsis"
            head = Text(f"step {self.step:,} of {self.total:,}{self._left()}", style="bold")
            head.truncate(width, overflow=cut)
            bar = ProgressBar(total=self.total, completed=self.step, width=width)
        # A bar does not end its line by itself: in a table it does.
        line = Table.grid()
        line.add_row(bar)
        table = Table.grid(padding=(0, 1))
        table.add_column(width=10, style="dim", no_wrap=True, overflow=cut)
        table.add_column(width=width - 12, no_wrap=True, overflow=cut)
        for label, text in rows:
            table.add_row(label, text)
        return Group(head, line, table)

    @property
    def _ascii(self) -> bool:
        return self.console.options.ascii_only

    def _left(self) -> str:
        per_second = self.rates()[2]
        if not per_second or self.step >= self.total:
            return ""
        return f", {duration((self.total - self.step) / per_second)} left"

    def _rows(self, width: int) -> list[tuple[str, str]]:
        """Labels and what stands behind them."""
        last, expected = self.last, self.expected
        rows: list[tuple[str, str]] = []
        if "loss" in last:
            bars = ASCII_BARS if self._ascii else BARS
            number = f"{last['loss']:.4g}"
            means = self.curve.means(max(4, width - len(number) - 2))
            rows.append(("loss", f"{number}  {sparkline(means, bars)}"))
        if self.checks:
            value, step = self.checks[-1]
            best, at = min(self.checks)
            beside = "the lowest" if at == step else f"lowest {best:.4g} at step {at:,}"
            rows.append(("validation", f"{value:.4g} at step {step:,}, {beside}"))
        if "learning_rate" in last:
            rows.append(("rate", f"{last['learning_rate']:.3g}"))
        if "grad_norm" in last:
            norm, most = last["grad_norm"], expected.max_grad_norm
            clipped = f", clipped to {most:g}" if norm > most else f", under {most:g}"
            rows.append(("gradient", f"{norm:.3g}{clipped}"))
        tokens, scored, _ = self.rates()
        if tokens:
            flop = tokens * expected.flop_per_token + scored * expected.flop_per_scored_token
            share = ""
            if expected.flop_per_second:
                share = f", {flop / expected.flop_per_second:.0%} of this GPU's matrix products"
            rows.append(("speed", f"{tokens:,.0f} tokens/s{share}"))
        if "peak_bytes" in last:
            plan = expected.planned_bytes
            beside = f", {plan / GIGABYTE:.2f} GB planned" if plan else ""
            rows.append(("memory", f"{last['peak_bytes'] / GIGABYTE:.2f} GB at most{beside}"))
        return rows


def duration(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds, as 1:02 h or 3:45 min; or 12 s."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"
