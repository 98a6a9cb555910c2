import pytest

from nybble.evaluation.metrics.texts import chrf, corpus_chrf, exact_match, rouge_l
from nybble.evaluation.task import Item
from nybble.evaluation.tasks.text import SCORES, TextTask

ITEMS = [Item(1, "p", "Good day to you."), Item(2, "p", "Bye.")]


def test_an_empty_answer_counts_as_the_most_frequent_one() -> None:
    judged = TextTask("Bye.").judge(ITEMS, [("Good day.",), (" \n",)])
    assert [one.value for one in judged] == ["Good day.", None]
    assert [one.score for one in judged] == [chrf("Good day.", "Good day to you."), 1.0]


@pytest.mark.parametrize(
    ("metric", "score"), [("chrf", chrf), ("rouge_l", rouge_l), ("exact_match", exact_match)]
)
def test_the_headline_is_the_mean_of_its_scores(metric, score) -> None:
    task = TextTask("", metric)
    said = ["Good day to you.", "Good bye."]
    judged = task.judge(ITEMS, [(text,) for text in said])
    expected = [score(text, str(item.truth)) for text, item in zip(said, ITEMS, strict=True)]
    assert [one.score for one in judged] == expected
    found = task.metrics(judged)
    assert found[metric] == pytest.approx(sum(expected) / 2)
    assert found.keys() == {*SCORES, "corpus_chrf"}
    assert found["corpus_chrf"] == corpus_chrf(said, [str(item.truth) for item in ITEMS])


def test_models_agree_where_they_said_the_same() -> None:
    one, other = TextTask("").judge(ITEMS, [("Yes.",), (" Yes.\n",)])
    assert TextTask("").agree(one, other)
    assert not TextTask("").agree(one, TextTask("").judge(ITEMS[:1], [("No.",)])[0])
