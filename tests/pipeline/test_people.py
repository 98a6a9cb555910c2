import pytest

from nybble.data.examples import Pair
from nybble.pipeline.people import read_people, rows_answered
from nybble.runs.errors import InputError

TEST = [Pair(number, "p", "5", {}) for number in (3, 8, 11, 20)]


def written(tmp_path, text: str):
    path = tmp_path / "people.csv"
    path.write_text(text)
    return path


def test_answers_are_read_by_the_numbers_of_test_rows(tmp_path) -> None:
    path = written(tmp_path, "row,answer\n3,$5\n8,\n")
    assert read_people(path) == {3: "$5", 8: ""}
    lines = tmp_path / "people.jsonl"
    lines.write_text('{"row": 3, "answer": 5}\n{"row": 8, "answer": null}\n')
    assert read_people(lines) == {3: "5", 8: ""}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("number,answer\n3,5\n", "row 1: it has the columns number, answer"),
        ("row,answer\n3,5\nx,6\n", "row 2: row = 'x' is no number"),
        ("row,answer\n3,5\n3,6\n", "row 2: test row 3 is answered twice"),
    ],
)
def test_lines_that_are_no_answer_to_one_row_are_refused(tmp_path, text, told) -> None:
    with pytest.raises(InputError, match=told):
        read_people(written(tmp_path, text))


def test_all_are_compared_on_the_rows_that_people_were_asked() -> None:
    rows, notes = rows_answered(TEST, {"Ann": {3: "5", 8: "", 11: "7", 99: "1"}})
    assert [row.number for row in rows] == [3, 8, 11]
    assert notes == ["Ann answered 3 of 4 test rows: all are compared on those."]
    assert rows_answered(TEST, {}) == (TEST, [])


def test_answers_to_other_rows_are_refused() -> None:
    with pytest.raises(InputError, match="Ann answered 1 of the 4 test rows"):
        rows_answered(TEST, {"Ann": {3: "5", 100: "6"}})
