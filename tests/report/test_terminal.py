from rich.console import Console

from nybble.evaluation.task import Judged
from nybble.report.terminal import Tally, comparison_table, unread_lines

from .compared import made_up


def shown(comparison: dict) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(comparison_table(comparison))
    return capture.get()


def test_a_runs_table_begins_with_the_tuned_model_and_its_baseline() -> None:
    comparison = made_up()[0]
    lines = [line for line in shown(comparison).splitlines() if line.strip()]
    assert "lower is better" in lines[0] and "tuned minus this" in lines[1]
    assert lines[3].strip().startswith("tuned model")
    assert lines[4].strip().startswith("few-shot base")


def test_half_a_percent_is_rounded_upwards_as_on_the_page() -> None:
    comparison = made_up()[0]
    comparison["models"][0]["metrics"] |= {"green": 0.97, "orange": 0.025, "red": 0.005}
    assert "97/3/1" in shown(comparison)


def test_what_could_not_be_read_is_told_with_the_metric_without_it() -> None:
    (line,) = unread_lines(made_up()[0])
    assert line.startswith("few-shot base: ") and "could not be read; on the other" in line


def test_the_tally_counts_colours_or_gives_the_mean() -> None:
    tally = Tally("mae")
    tally.add(Judged(1, "", "", 1.0, 1.0, 5.0, detail={"colour": "green"}))
    assert tally.plain() == "1 green, 0 orange, 0 red"
    right = Tally("accuracy")
    assert right.plain() == ""
    for score in (1.0, 0.0, 1.0, 1.0):
        right.add(Judged(1, "", "", "a", "a", score))
    assert right.plain() == "accuracy 75.0%"
