"""Answers that people wrote into a file, compared like a model's.

A row of the file has `row`, a test row's number in its source, and `answer`. An empty answer is an
answer that cannot be read; a row that is not in the file was not asked.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nybble.data.examples import Example
from nybble.runs.errors import InputError
from nybble.sources import read_rows

PeoplesAnswers = Mapping[int, str]


def read_people(path: Path) -> PeoplesAnswers:
    """Answers by the numbers of test rows. Raises `InputError` for a line that is not one answer to
    one row."""
    found: dict[int, str] = {}
    for number, line in enumerate(read_rows(path), 1):
        where = f"{path}: row {number}"
        if "row" not in line or "answer" not in line:
            raise InputError(
                f"{where}: it has the columns {', '.join(line) or 'none'}.",
                "Each row needs `row`, a test row's number in its source, and `answer`.",
            )
        try:
            row = int(str(line["row"]))
        except ValueError:
            raise InputError(
                f"{where}: row = {line['row']!r} is no number.", "Give a test row's number."
            ) from None
        if row in found:
            raise InputError(f"{where}: test row {row} is answered twice.", "Leave one out.")
        found[row] = "" if line["answer"] is None else str(line["answer"])
    return found


def rows_answered(
    test: Sequence[Example], people: Mapping[str, PeoplesAnswers]
) -> tuple[list[Example], list[str]]:
    """The rows of `test` that all `people` answered, and a line on those that had to go.

    Raises `InputError` where fewer than two are left, and for answers to rows that are none of all
    test rows, which would be a file for other data.
    """
    numbers = {example.number for example in test}
    notes = []
    for name, answers in people.items():
        missing = len(numbers - answers.keys())
        if missing:
            notes.append(
                f"{name} answered {len(numbers) - missing:,} of {len(numbers):,} test rows: all "
                "are compared on those."
            )
    kept = [row for row in test if all(row.number in answers for answers in people.values())]
    if people and len(kept) < 2:
        raise InputError(
            f"{' and '.join(people)} answered {len(kept)} of the {len(test):,} test rows.",
            "`row` is a row's number in its source, as predictions.json of a run has it.",
        )
    return kept, notes
