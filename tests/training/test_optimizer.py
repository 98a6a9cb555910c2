import pytest
import torch
from transformers import get_scheduler

from nybble.data.batches import StepLoader
from nybble.data.packing import Layout
from nybble.data.render import TokenRow
from nybble.recipe.train_part import TrainPart
from nybble.runs.errors import InputError
from nybble.training.optimizer import (
    learning_rate,
    make_optimizer,
    save_points,
    steps_of,
    total_steps,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["linear", "cosine", "constant_with_warmup"])
@pytest.mark.parametrize("warmup", [0, 7, 0.1])
def test_rates_are_those_of_transformers_after_warm_up(kind: str, warmup: float) -> None:
    part = TrainPart(lr_scheduler_type=kind, warmup_steps=warmup, learning_rate=1e-3)
    total, warm = 50, steps_of(warmup, 50)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-3)
    scheduler = get_scheduler(kind, optimizer, warm, total)
    for step in range(total):
        theirs = optimizer.param_groups[0]["lr"]
        ours = learning_rate(step, total, part)
        if step >= warm:
            assert ours == pytest.approx(theirs, rel=1e-9)
        else:
            assert ours == pytest.approx(theirs + 1e-3 / warm, rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_no_step_has_rate_zero() -> None:
    part = TrainPart(warmup_steps=3)
    assert all(learning_rate(step, 10, part) > 0 for step in range(10))


def test_a_warm_up_longer_than_the_training_never_reaches_the_peak_twice() -> None:
    rates = [learning_rate(step, 5, TrainPart(warmup_steps=100)) for step in range(5)]
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("epochs", "max_steps", "rows", "batch", "expected"),
    [
        (1, -1, 100, 32, 4),
        (3, -1, 100, 32, 12),
        (0.5, -1, 100, 10, 5),
        (2.1, -1, 100, 10, 21),
        (3, 7, 100, 32, 7),
        (1, -1, 1, 8, 1),
    ],
)
def test_total_steps(epochs, max_steps, rows, batch, expected) -> None:
    part = TrainPart(num_train_epochs=epochs, max_steps=max_steps, batch_size=batch)
    loader = StepLoader([TokenRow(1, [1, 2], [True, True], (1,))] * rows, batch, 0, Layout(64))
    assert total_steps(part, loader) == expected


def test_adamw_is_fused_and_its_moments_are_fp32() -> None:
    weight = torch.nn.Parameter(torch.ones(4, 4))
    optimizer = make_optimizer([weight], TrainPart())
    weight.grad = torch.full_like(weight, 1e-3)
    optimizer.step()
    assert optimizer.defaults["fused"]
    assert optimizer.state[weight]["exp_avg_sq"].dtype == torch.float32


def test_checkpoints_come_after_each_epoch_or_so_many_steps_or_never() -> None:
    rows = [TokenRow(i, [1, 2], [False, True], [1]) for i in range(10)]
    loader = StepLoader(rows, 4, 0, Layout(64))
    by = {
        strategy: save_points(TrainPart(save_strategy=strategy, save_steps=2), loader, 9)
        for strategy in ("no", "steps", "epoch")
    }
    assert by == {"no": set(), "steps": {2, 4, 6, 8}, "epoch": {3, 6}}


@pytest.mark.parametrize("optim", ["paged_adamw_8bit", "paged_adamw_32bit"])
def test_paged_moments_are_refused_on_a_cpu(optim) -> None:
    with pytest.raises(InputError, match=f"train.optim = '{optim}'"):
        make_optimizer([torch.nn.Parameter(torch.ones(4))], TrainPart(optim=optim))


def test_eight_bit_adamw_skips_a_gradient_that_is_not_finite() -> None:
    weight = torch.nn.Parameter(torch.ones(64, 64))
    optimizer = make_optimizer([weight], TrainPart(optim="adamw_8bit"))
    weight.grad = torch.full_like(weight, float("nan"))
    optimizer.found_inf = torch.ones(())
    optimizer.step()
    assert torch.equal(weight, torch.ones(64, 64)) and not optimizer.state
    weight.grad.fill_(1e-3)
    optimizer.found_inf = torch.zeros(())
    optimizer.step()
    assert optimizer.state[weight]["state1"].dtype == torch.uint8
    assert not torch.equal(weight, torch.ones(64, 64))
