"""The live view, on a console of our own; how a terminal shows it was looked at in tmux."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from nybble.training import live
from nybble.training.live import Expected, LiveView, duration
from nybble.training.symptoms import SymptomWatcher

CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def step(number: int, **more: float) -> dict[str, float]:
    return {"step": number, "loss": 2.0 / number, "learning_rate": 1e-4, "grad_norm": 0.5,
            "tokens": 1000, "scored_tokens": 100, "step_seconds": 0.1} | more  # fmt: skip


def screen(written: str) -> list[str]:
    """What a terminal of endless height shows: of its codes, those that Rich's live view writes."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\n|\r|[^\x1b\n\r]+", written):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part[0] not in "\x1b\r":
            lines[row] += part
    return [line.rstrip() for line in lines]


@pytest.fixture
def clock(monkeypatch):
    """A clock that tests set: a step takes a tenth of a second."""
    now = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    return now


def view(tmp_path, monkeypatch, expected: Expected | None = None, width: int = 80, **console):
    """A view on a terminal in memory."""
    made = LiveView(tmp_path / "metrics.jsonl", expected or Expected(1.0))
    made.console = Console(file=io.StringIO(), force_terminal=True, width=width, **console)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    return made


def shown(made: LiveView) -> str:
    console = Console(file=io.StringIO(), width=made.console.width)
    console.print(made.render())
    return console.file.getvalue()


def test_it_shows_where_the_training_is(tmp_path, monkeypatch, clock):
    expected = Expected(1.0, 4e9, 1e9, 1e14, 12_900_000_000)
    made = view(tmp_path, monkeypatch, expected)
    made.begin(100, 0)
    for number in range(1, 21):
        clock[0] += 0.1
        made.record(step(number, peak_bytes=10_700_000_000))
    made.record({"step": 10, "validation_loss": 0.9})
    made.record({"step": 20, "validation_loss": 0.95})
    made.record(step(20, grad_norm=3.0) | {"loss": 0.1})
    text = shown(made)
    made.end()
    assert "step 20 of 100" in text
    assert re.search(r"loss +0\.1 +█", text)
    assert "0.95 at step 20, lowest 0.9 at step 10" in text
    assert "3, clipped to 1" in text
    # 10,000 tokens/s at 4e9 FLOP, 1,000 of them scored at 1e9: 4.1e13 of 1e14.
    assert "tokens/s, 4" in text and "% of this GPU" in text
    assert "10.70 GB at most, 12.90 GB planned" in text


def test_speed_and_time_left_are_those_of_the_recent_steps(tmp_path, monkeypatch, clock):
    made = view(tmp_path, monkeypatch)
    made.begin(200, 0)
    for number in range(1, 151):
        clock[0] += 5.0 if number < 50 else 0.1
        made.record(step(number))
    assert made.rates() == pytest.approx((10_000, 1_000, 10))
    assert "5 s left" in shown(made)
    made.end()


def test_a_resumed_training_shows_the_curve_from_before(tmp_path, monkeypatch):
    lines = [step(number) for number in range(1, 7)] + [{"step": 6, "validation_loss": 0.5}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = view(tmp_path, monkeypatch)
    made.begin(10, 6)
    assert "step 6 of 10" in shown(made) and "the lowest" in shown(made)
    assert len(made.curve.means(50)) == 6
    assert made.rates() == (0, 0, 0)
    made.end()


def test_warnings_and_lines_of_others_appear_whole_and_above(tmp_path, monkeypatch, capsys):
    made = view(tmp_path, monkeypatch, width=200)
    symptoms = SymptomWatcher(tmp_path / "none", 0.1)
    made.begin(120, 0)
    for number in range(1, 121):
        made.record(step(number))
        symptoms.record(step(number))
    print("publish    step 120 is on the Hub")
    made.end()
    lines = screen(made.console.file.getvalue())
    warning = next(i for i, line in enumerate(lines) if line.startswith("warning    gradients"))
    assert lines[warning].rstrip().endswith("train.max_grad_norm 0.1")
    published = lines.index("publish    step 120 is on the Hub")
    views = [i for i, line in enumerate(lines) if "of 120" in line]
    assert len(views) == 1 and warning < published < views[0]
    assert capsys.readouterr().out == ""


def test_without_a_terminal_there_are_plain_lines(tmp_path, capsys):
    made = LiveView(tmp_path / "metrics.jsonl", Expected(1.0))
    made.begin(4, 0)
    for number in range(1, 5):
        made.record(step(number))
    made.end()
    assert made.live is None
    said = capsys.readouterr().out
    assert re.fullmatch(r"training 4/4  loss 0\.500  [\d,]+ tokens/s  0 s left\n", said)


def test_a_dumb_terminal_gets_plain_lines(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    made = view(tmp_path, monkeypatch)
    made.begin(4, 0)
    assert made.live is None and made.plain is not None


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["loss", "validation_loss", "learning_rate", "grad_norm", "tokens",
                             "peak_bytes"]),
            st.one_of(st.floats(), st.integers(0, 10**12)),
        ),
        max_size=20,
    ),
    st.integers(1, 200),
    st.booleans(),
)  # fmt: skip
def test_any_numbers_fit_in_any_width(lines, width, plain):
    made = LiveView(live.Path("none"), Expected(1.0, 1e9, 1e9, 1e12, 10**9))
    encoding = "ascii" if plain else "utf-8"
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    made.console = Console(file=file, force_terminal=True, width=width, no_color=True)
    made._clear(len(lines), 0)
    made.recent.append(live.Told(0.0, 0, 0.0, 0.0, 0.0))
    for number, line in enumerate(lines, 1):
        made.record({"step": number, **line})
    made.console.print(made.render())
    file.seek(0)
    text = CODES.sub("", file.read())
    assert all(len(line) <= max(width, 20) for line in text.splitlines())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1:00 min"), (3599, "59:59 min"), (5400, "1:30 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
