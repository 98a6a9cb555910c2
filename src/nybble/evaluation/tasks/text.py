"""The task `text`: the answer is a text, and counts by how much it is like the true one.

Every answer is a text, so only an empty one says nothing: it counts as the constant reference's
guess, the most frequent answer of the training rows.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nybble.evaluation.metrics.texts import chrf, corpus_chrf, exact_match, rouge_l
from nybble.evaluation.task import Answers, Item, Judged, judge_each

SCORES: dict[str, Callable[[str, str], float]] = {
    "chrf": chrf,
    "rouge_l": rouge_l,
    "exact_match": exact_match,
}


@dataclass(frozen=True)
class TextTask:
    """`fallback` is what an empty answer counts as; `metric` is one of `SCORES`."""

    fallback: str
    metric: str = "chrf"
    name: str = "text"
    higher_is_better: bool = True
    measures: tuple[str, ...] = (*SCORES, "corpus_chrf")

    def plain(self) -> "TextTask":
        return self

    def agree(self, one: Judged, other: Judged) -> bool:
        """Whether both said the same, but for spaces around it."""
        return str(one.counted).strip() == str(other.counted).strip()

    def judge(self, items: Sequence[Item], answers: Sequence[Answers]) -> list[Judged]:
        """Truths are texts."""
        return judge_each(
            items,
            answers,
            read=lambda answer: answer if answer.strip() else None,
            score=lambda said, truth: SCORES[self.metric](str(said), str(truth)),
            stand_in=self.fallback,
        )

    def metrics(self, judged: Sequence[Judged]) -> dict[str, float | None]:
        """The mean over rows of every score, and the chrF of all rows as one text."""
        pairs = [(str(one.counted), str(one.truth)) for one in judged]
        means = {
            name: math.fsum(score(*pair) for pair in pairs) / len(pairs)
            for name, score in SCORES.items()
        }
        said, true = zip(*pairs, strict=True)
        return {**means, "corpus_chrf": corpus_chrf(said, true)}
