"""A step's loss and gradients: the sum over scored tokens by their number, for any packs."""

from dataclasses import replace

import pytest
import torch

from nybble.data.batches import StepBatch, StepLoader, make_step
from nybble.data.packing import Layout
from nybble.data.render import TokenRow
from nybble.engine.fast import FastPath
from nybble.engine.step import TrainStep, layout_of
from nybble.engine.stock import StockPath
from nybble.model.adapters import trainable_parameters

pytestmark = pytest.mark.slow


@pytest.fixture
def rows(stage) -> list[TokenRow]:
    """Rows of unlike lengths and scored shares."""
    chosen = list(stage.prepared.train[:6])
    long = [i for row in stage.prepared.train[6:10] for i in row.input_ids]
    chosen.append(TokenRow(0, long, [False] * 40 + [True] * (len(long) - 40), (40,)))
    return chosen


def batch_of(rows, capacity: int) -> StepBatch:
    return make_step(rows, range(len(rows)), Layout(capacity))


def flat(step: TrainStep) -> torch.Tensor:
    return torch.cat([p.grad.flatten().clone() for p in step.parameters])


def run(step: TrainStep, batch: StepBatch, number: int = 3, loss_scale: float = 1.0):
    """The loss, and all gradients in one."""
    return step(batch, number, loss_scale), flat(step)


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.double() - expected.double()).norm() / expected.double().norm())


def with_dropout(model, p: float):
    for module in model.modules():
        if hasattr(module, "lora_dropout"):
            module.lora_dropout["default"] = torch.nn.Dropout(p)
    return model


@pytest.fixture(params=["engine", "stock"])
def make_train_step(request, plan):
    """A step on either path; how the loader would lay rows out does not matter here."""

    def make(model, seed: int = 5) -> TrainStep:
        step = TrainStep(model, plan, seed)
        assert isinstance(step.path, FastPath) and step.why_stock is None
        if request.param == "stock":
            step.path = StockPath(model, "cpu", torch.float32, seed)
        return step

    return make


@pytest.mark.parametrize("p", [0.0, 0.1])
def test_micro_batches_do_not_change_loss_or_gradients(
    mini_model, make_train_step, rows, p: float
) -> None:
    step = make_train_step(with_dropout(mini_model, p))
    whole, single = batch_of(rows, 100_000), batch_of(rows, 1)
    assert (len(whole.packs), len(single.packs)) == (1, len(rows))
    loss, gradients = run(step, whole)
    other_loss, other = run(step, single)
    assert float(other_loss) == pytest.approx(float(loss), rel=1e-6)
    assert relative_error(other, gradients) < 1e-5


def test_dropout_does_change_gradients(mini_model, make_train_step, rows) -> None:
    step = make_train_step(with_dropout(mini_model, 0.1))
    batch = batch_of(rows, 100_000)
    first, again, later = (run(step, batch, number)[1] for number in (1, 1, 2))
    assert torch.equal(again, first)
    assert relative_error(later, first) > 0.01


def test_loss_and_gradients_equal_a_plain_oracle_row_by_row(mini_model, plan, rows) -> None:
    """Each row alone, unpadded, full logits, log-softmax in fp64, sum over sum."""
    mini_model.train()
    total, count = torch.zeros((), dtype=torch.float64), 0
    for row in rows:
        logits = mini_model(input_ids=torch.tensor([row.input_ids])).logits[0].double()
        shares = logits.log_softmax(-1)
        for place in range(1, len(row.input_ids)):
            if row.scored[place]:
                total = total - shares[place - 1, row.input_ids[place]]
                count += 1
    (total / count).backward()
    trained = trainable_parameters(mini_model).values()
    expected = torch.cat([p.grad.flatten().clone() for p in trained])
    batch = batch_of(rows, 128)
    assert batch.scored_tokens == count
    loss, gradients = run(TrainStep(mini_model, plan), batch)
    assert float(loss) == pytest.approx(float(total.detach() / count), rel=1e-6)
    assert relative_error(gradients, expected) < 1e-5


def test_the_loss_scale_scales_gradients_and_not_the_loss(
    mini_model, make_train_step, rows
) -> None:
    step = make_train_step(mini_model)
    batch = batch_of(rows, 4096)
    loss, gradients = run(step, batch)
    scaled_loss, scaled = run(step, batch, loss_scale=1024.0)
    assert float(scaled_loss) == float(loss)
    assert relative_error(scaled / 1024, gradients) < 1e-6


def test_gradients_of_an_earlier_step_are_forgotten(mini_model, make_train_step, rows) -> None:
    step = make_train_step(mini_model)
    batch = batch_of(rows, 4096)
    _, gradients = run(step, batch)
    run(step, batch_of(rows[:2], 4096))
    for parameter in step.parameters:
        parameter.grad = None  # as optimizer.zero_grad leaves it
    assert torch.equal(run(step, batch)[1], gradients)


def test_evaluation_is_sum_over_sum_and_has_no_dropout(
    mini_model, make_train_step, plan, rows
) -> None:
    step = make_train_step(with_dropout(mini_model, 0.5))
    together = step.evaluate([batch_of(rows, 4096)])
    apart = step.evaluate([batch_of(rows[:2], 4096), batch_of(rows[2:], 64)])
    assert together == pytest.approx(apart, rel=1e-6)
    without = TrainStep(with_dropout(mini_model, 0.0), plan)
    assert together == pytest.approx(float(without(batch_of(rows, 4096), 0)), rel=1e-6)


def test_an_evaluation_between_steps_is_harmless(mini_model, make_train_step, rows) -> None:
    step = make_train_step(with_dropout(mini_model, 0.1))
    batch = batch_of(rows, 200)
    loss, gradients = run(step, batch)
    step.evaluate([batch_of(rows[3:], 4096)])
    assert torch.equal(flat(step), gradients)  # nor does it touch what is there
    again, after = run(step, batch)
    assert torch.equal(again, loss)
    assert torch.equal(after, gradients)


def test_a_step_that_is_not_finite_changes_nothing(mini_model, plan, rows) -> None:
    """As the trainer does it: fused AdamW skips a step with `found_inf`."""
    step = TrainStep(mini_model, plan)
    optimizer = torch.optim.AdamW(step.parameters, lr=1e-2, fused=True)
    batch = batch_of(rows, 4096)

    def launch() -> torch.Tensor:
        step(batch, 0)
        norm = torch.nn.utils.clip_grad_norm_(step.parameters, 1.0)
        optimizer.found_inf = (~torch.isfinite(norm)).float()
        optimizer.step()
        return norm

    assert launch().isfinite()
    healthy = step.parameters[3].data[0, 0].clone()
    step.parameters[3].data[0, 0] = float("nan")
    before = [p.detach().clone() for p in step.parameters]
    assert not launch().isfinite()
    for parameter, value in zip(step.parameters, before, strict=True):
        assert torch.equal(parameter.nan_to_num(), value.nan_to_num())
    step.parameters[3].data[0, 0] = healthy
    assert launch().isfinite()  # nothing of it is left in the engine
    assert not torch.equal(step.parameters[3], before[3])


def test_how_rows_are_laid_out(plan) -> None:
    assert layout_of(plan, packed=False) == Layout(plan.micro_batch_tokens, padded=True)
    assert layout_of(plan, packed=True) == Layout(plan.micro_batch_tokens)
    on_gpu = layout_of(replace(plan, device="cuda", micro_batch_tokens=600), packed=True)
    assert on_gpu == Layout(768, sizes=(256, 512, 768))


STEPS = 100


def losses(model, plan, stage, stock: bool) -> list[float]:
    """Of so many steps of training."""
    step = TrainStep(model, plan, seed=1)
    if stock:
        step.path = StockPath(model, "cpu", torch.float32, 1)
    layout = layout_of(plan, packed=not stock)
    loader = StepLoader([stage.prepared.train[i] for i in range(200)], 2, 9, layout)
    optimizer = torch.optim.AdamW(step.parameters, lr=1e-3, fused=True)
    found = []
    for number, batch in enumerate(loader.steps(0, STEPS)):
        found.append(float(step(batch, number)))
        optimizer.step()
    return found


def test_a_hundred_steps_of_training_are_the_stock_model_s(mini_model, plan, stage) -> None:
    """Rounding apart, which training enlarges: no loss, of about 3, is a thousandth off."""
    start = [p.detach().clone() for p in trainable_parameters(mini_model).values()]
    found = losses(mini_model, plan, stage, stock=False)
    for parameter, value in zip(trainable_parameters(mini_model).values(), start, strict=True):
        parameter.data.copy_(value)
    expected = losses(mini_model, plan, stage, stock=True)
    worst = max(abs(a - b) for a, b in zip(found, expected, strict=True))
    assert worst < 1e-3
    assert sum(found[-10:]) < sum(found[:10])
