import pytest
import torch

from nybble.data.batches import StepBatch, make_step
from nybble.data.render import TokenRow
from nybble.engine.dropout import PlacedDropout
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters

pytestmark = pytest.mark.slow


@pytest.fixture
def rows(stage) -> list[TokenRow]:
    """Rows of unlike lengths and scored shares."""
    chosen = list(stage.prepared.train[:6])
    long = [i for row in stage.prepared.train[6:10] for i in row.input_ids]
    chosen.append(TokenRow(0, long, [False] * 40 + [True] * (len(long) - 40), (40,)))
    return chosen


def batch_of(rows, micro_batch_tokens: int) -> StepBatch:
    return make_step(rows, range(len(rows)), micro_batch_tokens, pad_id=0)


def loss_and_gradients(step: TrainStep, batch: StepBatch, number: int = 3):
    step.model.zero_grad()
    loss = step(batch, number)
    return loss, {n: p.grad.clone() for n, p in trainable_parameters(step.model).items()}


def relative_error(a: dict, b: dict) -> float:
    apart = sum((a[n].double() - b[n].double()).square().sum() for n in b)
    return float((apart / sum(b[n].double().square().sum() for n in b)).sqrt())


def with_dropout(model, p: float):
    for module in model.modules():
        if isinstance(module, PlacedDropout):
            module.p = p


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_micro_batches_do_not_change_loss_or_gradients(mini_model, plan, rows, dropout) -> None:
    for layer in (m for m in mini_model.modules() if hasattr(m, "lora_dropout")):
        layer.lora_dropout["default"] = torch.nn.Dropout(dropout)
    step = TrainStep(mini_model, plan, seed=5)
    with_dropout(mini_model, dropout)
    whole = batch_of(rows, 100_000)
    single = batch_of(rows, 1)
    assert len(whole.micro_batches) == 1
    assert len(single.micro_batches) == len(rows)
    loss, gradients = loss_and_gradients(step, whole)
    other_loss, other = loss_and_gradients(step, single)
    assert float(other_loss) == pytest.approx(float(loss), rel=1e-6)
    assert relative_error(other, gradients) < 1e-5


def test_dropout_does_change_gradients(mini_model, plan, rows) -> None:
    for layer in (m for m in mini_model.modules() if hasattr(m, "lora_dropout")):
        layer.lora_dropout["default"] = torch.nn.Dropout(0.1)
    step = TrainStep(mini_model, plan, seed=5)
    batch = batch_of(rows, 100_000)
    _, first = loss_and_gradients(step, batch, 1)
    _, again = loss_and_gradients(step, batch, 1)
    _, later = loss_and_gradients(step, batch, 2)
    assert relative_error(again, first) < 1e-6
    assert relative_error(later, first) > 0.01


def test_loss_and_gradients_equal_a_plain_oracle_row_by_row(mini_model, plan, rows) -> None:
    """Each row alone, unpadded, full logits, log-softmax in fp64, sum over sum."""
    step = TrainStep(mini_model, plan)
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
    expected = {n: p.grad.clone() for n, p in trainable_parameters(mini_model).items()}
    loss, gradients = loss_and_gradients(step, batch_of(rows, 128))
    assert float(loss) == pytest.approx(float(total / count), rel=1e-6)
    assert relative_error(gradients, expected) < 1e-5


def test_the_loss_scale_scales_gradients_and_not_the_loss(mini_model, plan, rows) -> None:
    step = TrainStep(mini_model, plan)
    batch = batch_of(rows, 4096)
    loss, gradients = loss_and_gradients(step, batch)
    mini_model.zero_grad()
    scaled_loss = step(batch, 3, 1024.0)
    scaled = {n: p.grad / 1024 for n, p in trainable_parameters(mini_model).items()}
    assert float(scaled_loss) == float(loss)
    assert relative_error(scaled, gradients) < 1e-6


def test_evaluation_is_sum_over_sum_and_has_no_dropout(mini_model, plan, rows) -> None:
    for layer in (m for m in mini_model.modules() if hasattr(m, "lora_dropout")):
        layer.lora_dropout["default"] = torch.nn.Dropout(0.5)
    step = TrainStep(mini_model, plan)
    together = step.evaluate([batch_of(rows, 4096)])
    apart = step.evaluate([batch_of(rows[:2], 4096), batch_of(rows[2:], 64)])
    assert together == pytest.approx(apart, rel=1e-6)


def test_recomputing_layers_changes_nothing_with_dropout(mini_model, plan, rows) -> None:
    for layer in (m for m in mini_model.modules() if hasattr(m, "lora_dropout")):
        layer.lora_dropout["default"] = torch.nn.Dropout(0.1)
    step = TrainStep(mini_model, plan, seed=1)
    batch = batch_of(rows, 4096)
    loss, gradients = loss_and_gradients(step, batch)
    mini_model.gradient_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": False})
    again, recomputed = loss_and_gradients(step, batch)
    assert float(again) == float(loss)
    assert relative_error(recomputed, gradients) < 1e-6
