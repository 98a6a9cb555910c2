"""What a task is: how a model's answers to test rows are read and scored.

A task never loads a model. It is given rows and what was answered, and gives a score for each row;
the headline metric is their mean (weighted, for a loss, by scored tokens), so that models can be
compared row by row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import JsonValue

Answers = tuple[str, ...]
"""What one model said to one row: one text, or as many as `evaluate.samples` asks for."""


@dataclass(frozen=True)
class Item:
    """A test row as a task sees it. `truth` is a number, a label, a text, or what tests a program:
    `{"tests": [...], "setup": ..., ...}`. `row` is its number in its source."""

    row: int
    prompt: str
    truth: JsonValue
    columns: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Judged:
    """What a model said to one row, read and scored.

    `value` is what was read from the answer, None where nothing could be: `stand_in`, the constant
    reference's guess, then counts instead. `answer` is the first of several. The headline metric is
    Σ score · weight / Σ weight over rows; weights other than 1 are a loss's scored tokens.
    `detail` is for people: which assertion failed, which colour an error has.
    """

    row: int
    prompt: str
    answer: str
    value: JsonValue
    truth: JsonValue
    score: float
    weight: float = 1.0
    detail: Mapping[str, JsonValue] = field(default_factory=dict)
    stand_in: JsonValue = None

    @property
    def counted(self) -> JsonValue:
        """What the row counts as."""
        return self.stand_in if self.value is None else self.value

    @property
    def parsed(self) -> bool:
        """Whether something could be read from the answer."""
        return self.value is not None

    def as_json(self) -> dict[str, Any]:
        """A line of `evaluation/{baseline,tuned}.jsonl`."""
        line: dict[str, Any] = {
            "row": self.row,
            "prompt": self.prompt,
            "answer": self.answer,
            "value": self.value,
            "truth": self.truth,
            "score": self.score,
        }
        return line | ({"detail": dict(self.detail)} if self.detail else {})


def judge_each(
    items: Sequence[Item],
    answers: Sequence[Answers],
    read: Callable[[str], JsonValue],
    score: Callable[[JsonValue, JsonValue], float],
    stand_in: JsonValue,
) -> list[Judged]:
    """Rows judged by themselves: `score(what counts, truth)`, as `read` from the first answer."""
    judged = []
    for item, said in zip(items, answers, strict=True):
        value = read(said[0])
        counts = stand_in if value is None else value
        mark = score(counts, item.truth)
        judged.append(
            Judged(item.row, item.prompt, said[0], value, item.truth, mark, stand_in=stand_in)
        )
    return judged


class Task(Protocol):
    """One kind of answer: how it is read, and what it counts."""

    @property
    def name(self) -> str:
        """As `evaluate.task` says it."""
        ...

    @property
    def metric(self) -> str:
        """The headline: the mean of the scores that `judge` gives."""
        ...

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of what `metrics` gives."""
        ...

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger score is a better one."""
        ...

    def judge(self, items: Sequence[Item], answers: Sequence[Answers]) -> list[Judged]:
        """One `Judged` for each item, in their order; `answers[i]` were said to `items[i]`."""
        ...

    def plain(self) -> "Task":
        """The same task for answers that hold nothing else: of a reference, a person, a median."""
        ...

    def agree(self, one: Judged, other: Judged) -> bool:
        """Whether two models said the same to a row, as far as the task can tell."""
        ...

    def metrics(self, judged: Sequence[Judged]) -> dict[str, float | None]:
        """Every metric of the task by name, the headline among them; None where undefined."""
        ...
