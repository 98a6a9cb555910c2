import subprocess
import sys
from functools import cache

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from nybble.evaluation.metrics.texts import chrf, corpus_chrf, exact_match, rouge_l
from nybble.runs.errors import InputError

WORDS = ["the", "a", "cat", "sat", "on", "mat", "Mat's", "12", "Straße", "café"]
texts = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
)


def longest_common(a: list[str], b: list[str]) -> int:
    @cache
    def length(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        if a[i] == b[j]:
            return 1 + length(i + 1, j + 1)
        return max(length(i + 1, j), length(i, j + 1))

    return length(0, 0)


@given(texts, texts)
def test_chrf_is_sacrebleus(answer: str, truth: str) -> None:
    assert chrf(answer, truth) == sacrebleu.sentence_chrf(answer, [truth]).score / 100


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_chrf_of_a_corpus_is_sacrebleus(rows: list[tuple[str, str]]) -> None:
    answers, truth = map(list, zip(*rows, strict=True))
    assert corpus_chrf(answers, truth) == sacrebleu.corpus_chrf(answers, [truth]).score / 100


@given(texts, texts)
def test_rouge_l_is_f1_of_the_longest_common_subsequence(answer: str, truth: str) -> None:
    a, b = (
        "".join(c if c.isalnum() or c == "_" else " " for c in text.lower()).split()
        for text in (answer, truth)
    )
    common = longest_common(a, b)
    expected = 0.0
    if common:
        precision, recall = common / len(a), common / len(b)
        expected = 2 * precision * recall / (precision + recall)
    assert rouge_l(answer, truth) == pytest.approx(expected)


@given(texts, texts)
def test_scores_are_shares_and_a_copy_is_perfect(answer: str, truth: str) -> None:
    for metric in (exact_match, chrf, rouge_l):
        assert 0.0 <= metric(answer, truth) <= 1.0 + 1e-12
    assert exact_match(truth, truth) == 1.0
    if any(c.isalnum() for c in truth):
        assert rouge_l(truth, truth) == chrf(truth, truth) == pytest.approx(1.0)


def test_texts_by_hand() -> None:
    # Lin (2004), section 3.1: "police kill the gunman" shares "police the gunman" with the truth.
    assert rouge_l("police kill the gunman", "Police killed the gunman.") == 0.75
    assert rouge_l("the gunman kill police", "police killed the gunman") == 0.5
    assert exact_match(" a  b\n", "a b") == 1.0
    assert exact_match("A b", "a b") == 0.0
    assert rouge_l("", "") == rouge_l("!", "a") == chrf("", "") == 0.0


def test_rows_that_do_not_match_are_refused() -> None:
    for answers, truth in (([], []), (["a"], ["a", "b"])):
        with pytest.raises(InputError):
            corpus_chrf(answers, truth)


def test_the_libraries_load_when_they_are_needed() -> None:
    late = {"sacrebleu", "rapidfuzz", "scipy"}
    code = f"import nybble.evaluation, sys; print({late} & {{*sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
