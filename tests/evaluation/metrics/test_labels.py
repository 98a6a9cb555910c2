import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from nybble.evaluation.metrics.labels import accuracy, confusion, macro_f1
from nybble.runs.errors import InputError

LABELS = ["a", "b", "c", "never said"]
UNREAD = "~ no label"

rows = st.lists(
    st.tuples(st.sampled_from(LABELS), st.sampled_from([*LABELS[:3], None])),
    min_size=1,
    max_size=40,
)


@given(rows)
def test_label_metrics_agree_with_scikit_learn(pairs: list[tuple[str, str | None]]) -> None:
    truth, said = [true for true, _ in pairs], [one for _, one in pairs]
    filled = [UNREAD if one is None else one for one in said]
    found = confusion(truth, said)
    assert found.labels == sorted({*truth, *filled} - {UNREAD})
    assert accuracy(truth, said) == pytest.approx(accuracy_score(truth, filled))
    expected = f1_score(truth, filled, labels=found.labels, average="macro", zero_division=0)
    assert macro_f1(found) == pytest.approx(expected)
    theirs = confusion_matrix(truth, filled, labels=[*found.labels, UNREAD])
    assert np.array_equal(found.counts, theirs[:-1])


def test_a_row_that_could_not_be_read_is_nobodys_false_alarm() -> None:
    found = confusion(["a", "a", "b"], ["a", None, "b"])
    assert found.as_json() == {"labels": ["a", "b"], "counts": [[1, 0, 1], [0, 1, 0]]}
    assert macro_f1(found) == pytest.approx((2 / 3 + 1) / 2)
    assert accuracy(["a"], [None]) == 0.0


@pytest.mark.parametrize(("truth", "said"), [([], []), (["a"], ["a", "b"])])
def test_answers_that_do_not_match_the_rows_are_refused(truth: list[str], said: list[str]) -> None:
    for metric in (accuracy, confusion):
        with pytest.raises(InputError):
            metric(truth, said)
