"""The task `label`: the answer is one of a few labels, and right or wrong.

An answer that names none of them, or several, counts as the constant reference's guess: the most
frequent label of the training rows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nybble.evaluation.metrics.labels import accuracy, confusion, macro_f1
from nybble.evaluation.task import Answers, Item, Judged, judge_each

_AROUND = " \t\r\n\"'`*_.,:;!?()[]{}<>«»“”‘’"


@dataclass(frozen=True)
class LabelTask:
    """`labels` are what an answer may be, `fallback` is the most frequent one in training."""

    labels: tuple[str, ...]
    fallback: str
    metric: str = "accuracy"
    name: str = "label"
    higher_is_better: bool = True
    measures: tuple[str, ...] = ("accuracy", "macro_f1")

    def plain(self) -> "LabelTask":
        return self

    def agree(self, one: Judged, other: Judged) -> bool:
        """Whether both chose the same label."""
        return one.counted == other.counted

    def judge(self, items: Sequence[Item], answers: Sequence[Answers]) -> list[Judged]:
        """Truths are labels."""
        return judge_each(
            items,
            answers,
            read=lambda answer: read_label(answer, self.labels),
            score=lambda guess, truth: float(guess == truth),
            stand_in=self.fallback,
        )

    def metrics(self, judged: Sequence[Judged]) -> dict[str, float | None]:
        """`accuracy` and `macro_f1`; unreadable answers count as the fallback."""
        truth = [str(one.truth) for one in judged]
        guesses = [str(one.counted) for one in judged]
        return {
            "accuracy": accuracy(truth, guesses),
            "macro_f1": macro_f1(confusion(truth, guesses)),
        }


def read_label(answer: str, labels: Sequence[str]) -> str | None:
    """The label that `answer` gives, or None where it gives none or leaves several open.

    An answer, or its first line, that is a label is that one, whatever its case and the quotes and
    marks around it. Else it is the only label that stands in the answer as words of its own; of
    `spam` and `not spam`, an answer with the longer one holds that one alone.
    """
    by_plain = {plain(label): label for label in labels}
    first_line = answer.strip().partition("\n")[0]
    for text in (answer, first_line):
        if plain(text) in by_plain:
            return by_plain[plain(text)]
    longest_first = sorted(by_plain, key=len, reverse=True)
    named = re.compile("|".join(rf"(?<!\w){re.escape(label)}(?!\w)" for label in longest_first))
    found = {match.group() for match in named.finditer(" ".join(answer.casefold().split()))}
    return by_plain[found.pop()] if len(found) == 1 else None


def plain(text: str) -> str:
    """`text` without what stands around a label, in one case and with single spaces."""
    return " ".join(text.strip(_AROUND).casefold().split())
