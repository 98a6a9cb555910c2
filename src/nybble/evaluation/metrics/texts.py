"""Metrics of texts, each of one answer against the true text, from 0 to 1; a model's is the mean.

So chrF is the mean of the rows' here: a comparison needs a score for each row. `corpus_chrf` is
what papers report.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from nybble.runs.errors import InputError

WORD = re.compile(r"\w+")


def exact_match(answer: str, truth: str) -> float:
    """1 where both are the same but for the whitespace around and between words, else 0."""
    return float(answer.split() == truth.split())


def chrf(answer: str, truth: str) -> float:
    """chrF of one text: F of character n-grams up to 6, recall twice as important as precision.

    As sacrebleu gives it, over 100, with its defaults: whitespace is not counted (Popović, chrF:
    character n-gram F-score for automatic MT evaluation, 2015). Two empty texts give 0.
    """
    return float(_chrf().sentence_score(answer, [truth]).score) / 100.0


def corpus_chrf(answers: Sequence[str], truth: Sequence[str]) -> float:
    """chrF of all rows as one text, over 100: long rows count more than in the mean of `chrf`.

    Raises InputError for no rows or unequal lengths.
    """
    if not truth or len(answers) != len(truth):
        raise InputError(
            f"Cannot compare {len(answers)} answers with {len(truth)} true texts.",
            "Give one answer for each of one or more test rows.",
        )
    return float(_chrf().corpus_score(list(answers), [list(truth)]).score) / 100.0


def rouge_l(answer: str, truth: str) -> float:
    """ROUGE-L: F1 of the longest common subsequence of words (Lin, ROUGE, 2004).

    Words are runs of letters and digits of any script, lowercased, without stemming; on texts of
    a-z and 0-9 that is what the rouge-score package counts. Without words on either side it is 0.
    """
    from rapidfuzz.distance import LCSseq

    words, true_words = WORD.findall(answer.lower()), WORD.findall(truth.lower())
    common = LCSseq.similarity(words, true_words)
    return 2.0 * common / (len(words) + len(true_words)) if common else 0.0


@cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
