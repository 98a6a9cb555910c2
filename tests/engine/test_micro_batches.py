"""Law 2 in fp32: the gradients of a step do not depend on how its rows are divided."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.data.batches import StepBatch, make_step
from nybble.data.packing import Layout
from nybble.data.render import TokenRow
from nybble.engine.step import TrainStep
from nybble.engine.stock import StockPath
from nybble.engine.team import Team
from nybble.model.adapters import trainable_parameters

pytestmark = pytest.mark.slow
ERROR = 1e-5


def make_rows(scored: Sequence[int], seed: int) -> list[TokenRow]:
    """A row for each number of scored tokens, with a prompt of a few tokens before them."""
    random = np.random.default_rng(seed)
    rows = []
    for number, count in enumerate(scored):
        prompt = int(random.integers(1, 9))
        ids = random.integers(3, 190, prompt + count).tolist()
        rows.append(TokenRow(number, ids, [False] * prompt + [True] * count, (1,)))
    return rows


def in_parts(rows: Sequence[TokenRow], size: int, layout: Layout) -> StepBatch:
    """One step of micro-batches of `size` rows each."""
    parts = [
        make_step(rows[i : i + size], range(i, min(i + size, len(rows))), layout)
        for i in range(0, len(rows), size)
    ]
    return StepBatch(
        [pack for part in parts for pack in part.packs],
        sum(part.scored_tokens for part in parts),
        sum(part.tokens for part in parts),
    )


def gradients(step: TrainStep, batch: StepBatch) -> torch.Tensor:
    step(batch, 3)
    parameters = trainable_parameters(step.model).values()
    return torch.cat([p.grad.flatten().double().clone() for p in parameters])


@pytest.fixture(scope="module")
def steps(stand_in, plan_of):
    """For each rate of dropout: the engine, which packs rows, and the stock path, which pads."""
    found = {}
    for p in (0.0, 0.1):
        packed, padded = (
            TrainStep(stand_in("llama", lora_dropout=p), plan_of(), seed=5) for _ in range(2)
        )
        padded.path = StockPath(padded.model, "cpu", torch.float32, 5)
        found[p] = {"packed": packed, "padded": padded}
    return found


@pytest.mark.parametrize("p", [0.0, 0.1])
@settings(max_examples=8)
@given(
    scored=st.lists(st.sampled_from([1, 2, 7, 40, 90]), min_size=8, max_size=8),
    seed=st.integers(0, 2**16),
)
def test_micro_batches_packed_or_padded_give_the_same_gradients(steps, p, scored, seed) -> None:
    rows = make_rows(scored, seed)
    expected = gradients(steps[p]["padded"], in_parts(rows, 8, Layout(4096, padded=True)))
    for way, step in steps[p].items():
        for size in (1, 2, 4, 8):
            batch = in_parts(rows, size, Layout(4096, padded=way == "padded"))
            error = (gradients(step, batch) - expected).norm() / expected.norm()
            assert float(error) < ERROR, (way, size)


@pytest.mark.parametrize("processes", [2, 3, 8])
def test_the_shares_of_processes_add_up(steps, processes: int) -> None:
    """With one scored row in eight, some of them have nothing to compute."""
    rows = make_rows([40, 1, 0, 0, 90, 2, 0, 7], 1)
    step = steps[0.1]["packed"]
    expected = gradients(step, in_parts(rows, 8, Layout(4096)))
    batch = make_step(rows, range(8), Layout(4096, processes=processes))
    total = torch.zeros_like(expected)
    for rank in range(processes):
        step.team = Team(rank, 1)  # its own share, not summed over processes that are not there
        total += gradients(step, batch)
    step.team = Team()
    assert float((total - expected).norm() / expected.norm()) < ERROR
