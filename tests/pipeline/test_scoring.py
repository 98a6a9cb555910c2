"""Rows that are scored, not answered: which tokens count."""

from nybble.data.examples import Pair
from nybble.data.render import TokenRow
from nybble.pipeline.scoring import _nested, _spans, written_forms


def test_labels_are_written_as_the_training_rows_write_them() -> None:
    train = [Pair(n, "p", answer, {}) for n, answer in enumerate([" Yes.", " no", " no"])]
    assert written_forms(["yes", "no"], train) == [" Yes.", " no"]
    assert written_forms(["yes", "perhaps"], train) == [" Yes.", " perhaps"]
    assert written_forms(["a", "b"], []) == ["a", "b"]


def test_a_label_that_begins_another_is_noticed() -> None:
    stop = 0
    assert _nested([[5, stop], [5, 6, stop]])
    assert not _nested([[5, 7, stop], [5, 6, stop]])


def test_each_run_of_scored_tokens_stands_behind_all_before_it() -> None:
    row = TokenRow(1, [1, 2, 3, 4, 5, 6], [False, True, True, False, False, True], (1, 5))
    assert _spans(row) == [([1], [2, 3]), ([1, 2, 3, 4, 5], [6])]
    whole = TokenRow(1, [1, 2, 3], [True, True, True], (0,))
    assert _spans(whole) == [([1], [2, 3])]
