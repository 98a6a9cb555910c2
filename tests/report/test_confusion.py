import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from nybble.report.confusion import MOST_LABELS, OTHER, UNREAD, confusion

LABELS = ["a", "b", "c"]
PAIRS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1)


@pytest.mark.filterwarnings("ignore:A single label")
@given(PAIRS)
def test_counts_are_scikit_learns(pairs):
    truth, said = zip(*pairs, strict=True)
    found = confusion(truth, {"m": said})
    expected = confusion_matrix(truth, said, labels=found["truth"])
    counts = np.array(found["models"][0]["counts"])
    assert (counts[:, :-1] == expected).all()
    assert (counts[:, -1] == 0).all()


def test_an_unread_answer_is_no_label_called_none() -> None:
    (one,) = confusion(["None", "some"], {"a": [None, "some"]})["models"]
    assert [recall["value"] for recall in one["recall"]] == [0.0, 1.0]


def test_an_unread_answer_has_a_column_of_its_own():
    found = confusion(["a", "a", "b"], {"m": ["a", None, "b"]})
    assert found["said"] == ["a", "b", UNREAD]
    assert found["models"][0]["counts"] == [[1, 0, 1], [0, 1, 0]]
    assert found["models"][0]["recall"][0] | {"low": 0, "high": 1} == {
        "value": 0.5, "low": 0, "high": 1, "n": 2,
    }  # fmt: skip


def test_a_label_that_no_row_has_can_still_be_said():
    found = confusion(["a"], {"m": ["b"]})
    assert found["truth"] == ["a", "b"]
    assert found["models"][0]["counts"] == [[0, 1, 0], [0, 0, 0]]
    assert found["models"][0]["recall"][1] is None


def test_rare_labels_stand_together_and_only_right_ones_count_as_found():
    truth = [str(i) for i in range(30) for _ in range(31 - i)]
    wrong = [str((int(label) - 25) % 5 + 25) if int(label) >= 25 else label for label in truth]
    wrong[-1] = "28"
    found = confusion(truth, {"m": wrong})
    assert len(found["truth"]) == MOST_LABELS
    assert found["truth"][-1] == OTHER
    assert found["merged"] == 11
    matrix = found["models"][0]
    assert sum(map(sum, matrix["counts"])) == len(truth)
    rest = sum(31 - i for i in range(MOST_LABELS - 1, 30))
    assert matrix["counts"][-1][-2] == rest
    assert matrix["recall"][-1]["value"] == (rest - 1) / rest
