import pytest
from sklearn.metrics import accuracy_score, f1_score

from nybble.evaluation.task import Item
from nybble.evaluation.tasks.label import LabelTask, read_label

LABELS = ("spam", "not spam", "unsure")


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("spam", "spam"),
        (" Spam.\n", "spam"),
        ("**Not spam**", "not spam"),
        ('"not  spam"!', "not spam"),
        ("“unsure”", "unsure"),
        ("spam\nbecause it sells pills, which is not spam-free", "spam"),
        ("The label is: spam", "spam"),
        ("This is not spam.", "not spam"),
        ("I would say it is NOT\nSPAM", "not spam"),
        ("spam or unsure", None),
        ("It is spammy", None),
        ("antispam", None),
        ("no idea", None),
        ("", None),
    ],
)
def test_labels_are_read_as_people_read_them(answer: str, label: str | None) -> None:
    assert read_label(answer, LABELS) == label


def test_labels_of_signs_and_numbers_are_labels_too() -> None:
    assert read_label("1", ("1", "10")) == "1"
    assert read_label("the answer is 10", ("1", "10")) == "10"
    assert read_label("C++", ("C", "C++")) == "C++"
    assert read_label("I take C++ here", ("C", "C++")) == "C++"


TASK = LabelTask(LABELS, "not spam")
TRUTHS = ["spam", "not spam", "not spam", "unsure"]
ITEMS = [Item(i, "p", truth) for i, truth in enumerate(TRUTHS)]


def test_an_answer_that_names_no_label_counts_as_the_most_frequent() -> None:
    judged = TASK.judge(ITEMS, [("spam",), ("hm",), ("spam",), ("hm",)])
    assert [one.value for one in judged] == ["spam", None, "spam", None]
    assert [one.score for one in judged] == [1.0, 1.0, 0.0, 0.0]


def test_metrics_agree_with_scikit_learn() -> None:
    judged = TASK.judge(ITEMS, [("spam",), ("hm",), ("spam",), ("unsure",)])
    counted = ["spam", "not spam", "spam", "unsure"]
    found = TASK.metrics(judged)
    assert found["accuracy"] == accuracy_score(TRUTHS, counted)
    assert found["macro_f1"] == pytest.approx(f1_score(TRUTHS, counted, average="macro"))


def test_models_agree_on_the_label_that_counts() -> None:
    one, other = TASK.judge(ITEMS[:2], [("Not spam",), ("?",)])
    assert TASK.agree(one, other)
    assert not TASK.agree(one, TASK.judge(ITEMS[:1], [("spam",)])[0])
