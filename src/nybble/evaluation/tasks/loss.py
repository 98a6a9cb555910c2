"""The task `loss`: how likely a model finds the answers of the test rows, without writing any.

The loss is law 2's: Σ over the scored tokens of all rows / their number. A row's score is its own
loss per token, its weight the number of its tokens.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from nybble.evaluation.task import Answers, Item, Judged

LARGEST_EXPONENT = 700.0


@dataclass(frozen=True)
class LossTask:
    """What a model says to a row is `scored_answer`: its Σ loss and number of scored tokens."""

    metric: str = "loss"
    name: str = "loss"
    measures: tuple[str, ...] = ("loss", "perplexity")
    higher_is_better: bool = False

    def plain(self) -> "LossTask":
        return self

    def agree(self, one: Judged, other: Judged) -> bool:
        """Whether both are within 1% of one another."""
        return math.isclose(one.score, other.score, rel_tol=0.01)

    def judge(self, items: Sequence[Item], answers: Sequence[Answers]) -> list[Judged]:
        """Each with its perplexity as `detail`. Truths are not looked at."""
        judged = []
        for item, said in zip(items, answers, strict=True):
            read = json.loads(said[0])
            total, tokens = float(read["loss_sum"]), int(read["tokens"])
            loss = total / tokens
            detail = {"perplexity": _perplexity(loss), "tokens": tokens}
            judged.append(
                Judged(item.row, item.prompt, said[0], loss, item.truth, loss, tokens, detail)
            )
        return judged

    def metrics(self, judged: Sequence[Judged]) -> dict[str, float | None]:
        """`loss` per scored token, and its `perplexity`; None where that overflows."""
        tokens = sum(one.weight for one in judged)
        loss = math.fsum(one.score * one.weight for one in judged) / tokens
        return {"loss": loss, "perplexity": _perplexity(loss)}


def scored_answer(loss_sum: float, tokens: int) -> str:
    """What a model says to a row, where it is not asked to write but to score: JSON."""
    return json.dumps({"loss_sum": loss_sum, "tokens": tokens})


def _perplexity(loss: float) -> float | None:
    return math.exp(loss) if loss < LARGEST_EXPONENT else None
