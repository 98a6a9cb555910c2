"""The head in slices against the whole head, and both against float64."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nybble.engine import plain
from nybble.engine.head import head_loss
from nybble.engine.host_head import host_head_loss

pytestmark = pytest.mark.slow


def drawn(seed: int, loud: float, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states, targets (one not scored) and a head; `loud` makes targets sure."""
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(9, 16, generator=generator)
    head = torch.randn(200, 16, generator=generator)
    targets = torch.randint(0, 200, (9,), generator=generator)
    hidden = hidden + loud * head[targets]
    targets[4] = -1
    return hidden.to(dtype), targets.int(), head.to(dtype)


def oracle(hidden: Tensor, targets: Tensor, head: Tensor, scale: float) -> tuple[float, Tensor]:
    wide = hidden.double().requires_grad_()
    losses = torch.nn.functional.cross_entropy(
        wide @ head.double().t(), targets.long(), reduction="sum", ignore_index=-1
    )
    losses.backward()
    assert wide.grad is not None
    return float(losses), wide.grad * scale


@given(st.integers(0, 2**31), st.sampled_from([1, 7, 64, 199, 200, 999]), st.sampled_from([0, 1]))
def test_slices_give_the_whole(seed: int, rows: int, loud: int) -> None:
    hidden, targets, head = drawn(seed, float(loud), torch.float32)
    loss = torch.zeros(())
    gradient = host_head_loss(hidden, targets, head, torch.tensor(0.3), loss, rows)
    expected, slope = oracle(hidden, targets, head, 0.3)
    assert gradient is not None
    assert float(loss) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-3, atol=1e-5)


def test_without_a_scale_there_is_the_loss_alone() -> None:
    hidden, targets, head = drawn(0, 0.0, torch.float32)
    loss = torch.zeros(())
    assert host_head_loss(hidden, targets, head, None, loss, 64) is None
    assert float(loss) == pytest.approx(oracle(hidden, targets, head, 1.0)[0], rel=1e-5)


@pytest.mark.parametrize("loud", [0.0, 0.3, 0.6])
def test_sure_tokens_keep_their_gradient_in_bf16(loud: float) -> None:
    """A target's share is near 1 there: were it summed with the others, they would be lost."""
    apart = {"slices": 0.0, "whole": 0.0}
    for seed in range(20):
        hidden, targets, head = drawn(seed, loud, torch.bfloat16)
        _, slope = oracle(hidden, targets, head, 1.0)
        one = torch.ones(())
        made = {
            "slices": host_head_loss(hidden, targets, head, one, torch.zeros(()), 64),
            "whole": head_loss(hidden, targets, head, one, torch.zeros(()), plain, 512),
        }
        for name, gradient in made.items():
            assert gradient is not None
            apart[name] += float((gradient.double() - slope).norm() / slope.norm())
    assert apart["slices"] <= 1.05 * apart["whole"]
