import math

import pytest

from nybble.evaluation.task import Item
from nybble.evaluation.tasks.loss import LossTask, scored_answer

ITEMS = [Item(i, "p", "") for i in range(3)]
SAID = [(scored_answer(total, tokens),) for total, tokens in ((2.0, 1), (9.0, 6), (4.0, 2))]


def test_the_loss_is_the_sum_over_tokens_not_the_mean_of_rows() -> None:
    task = LossTask()
    judged = task.judge(ITEMS, SAID)
    assert [one.score for one in judged] == [2.0, 1.5, 2.0]
    assert [one.weight for one in judged] == [1, 6, 2]
    found = task.metrics(judged)
    assert found["loss"] == pytest.approx(15 / 9)
    assert found["perplexity"] == pytest.approx(math.exp(15 / 9))
    assert judged[1].detail["perplexity"] == pytest.approx(math.exp(1.5))


def test_a_perplexity_beyond_all_numbers_is_none() -> None:
    (judged,) = LossTask().judge(ITEMS[:1], [(scored_answer(1e6, 10),)])
    assert judged.detail["perplexity"] is None


def test_losses_agree_within_a_hundredth() -> None:
    near, same, far = LossTask().judge(ITEMS, [(scored_answer(x, 1),) for x in (2.0, 2.01, 2.1)])
    assert LossTask().agree(near, same) and not LossTask().agree(near, far)
