"""The engine against the stock model with PEFT's adapters and autograd, in fp32."""

import pytest
import torch

from nybble.data.batches import make_step
from nybble.data.packing import Layout
from nybble.engine.dropout import token_keys
from nybble.engine.inputs import Sizes, exact_sizes, fill_inputs, fixed_sizes, make_inputs
from nybble.engine.step import TrainStep
from nybble.engine.stock import StockPath
from nybble.planner.architecture import ATTENTION
from nybble.planner.architecture import FAMILIES as KNOWN

from .conftest import FAMILIES

pytestmark = pytest.mark.slow

# Relative, over all gradients at once: fp32 sums in another order.
ERROR = 1e-5

WAYS = {
    "whole": {},
    "recompute one layer": {"recompute_layers": 1},
    "recompute all layers": {"recompute_layers": 3},
    "recomputed, attention kept": {"recompute_layers": 3, "attention_layers": 2},
    "lean layers": {"lean_layers": 2},
    "one recomputed, one lean": {"recompute_layers": 1, "lean_layers": 1},
    "kept weights": {"keep_weights": True},
    "small buffers": {"buffer_bytes": 1},
    "head in slices": {"host_vocabulary": True, "buffer_bytes": 1},
    "many packs": {"micro_batch_tokens": 33},
}


def agree(made, expected) -> None:
    assert made.loss == pytest.approx(expected.loss, rel=1e-6)
    assert made.gradients.keys() == expected.gradients.keys()
    assert made.error(expected) < ERROR


@pytest.mark.parametrize("targets", ["attention", "all-linear"])
@pytest.mark.parametrize("p", [0.0, 0.1])
@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_the_stock_model_s(
    stand_in, compute, random_rows, family: str, targets: str, p: float
) -> None:
    modules = list(ATTENTION) if targets == "attention" else targets
    model = stand_in(family, target_modules=modules, lora_dropout=p)
    expected = compute(model, random_rows, stock=True)
    assert len(expected.gradients) == 2 * 3 * (4 if targets == "attention" else 7)
    assert all(g.abs().max() > 0 for g in expected.gradients.values())
    for name, fields in WAYS.items():
        made = compute(model, random_rows, **fields)
        assert made.error(expected) < ERROR, name
        agree(made, expected)


def test_every_family_that_is_known_is_tried() -> None:
    assert FAMILIES.keys() == KNOWN.keys()


@pytest.mark.parametrize(
    "lora",
    [
        {"target_modules": ["k_proj", "up_proj"]},
        {"target_modules": ["down_proj"]},
        {"target_modules": ["q_proj", "v_proj"], "layers_to_transform": [1]},
        {"rank_pattern": {"q_proj": 5, "up_proj": 1}, "alpha_pattern": {"v_proj": 2}},
        {"use_rslora": True},
    ],
    ids=["some linears", "one linear", "one layer", "unlike ranks", "rslora"],
)
def test_adapters_need_not_be_everywhere_or_alike(stand_in, compute, random_rows, lora) -> None:
    model = stand_in("qwen2", lora_dropout=0.1, **lora)
    agree(compute(model, random_rows), compute(model, random_rows, stock=True))


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_weights_that_are_not_quantised(stand_in, compute, random_rows, family: str) -> None:
    model = stand_in(family, quantization="none", lora_dropout=0.1)
    agree(compute(model, random_rows), compute(model, random_rows, stock=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rows_of_a_pack_do_not_see_each_other(
    stand_in, compute, random_rows, family: str
) -> None:
    """Gradients of a pack are those of its rows alone, each by its share of scored tokens."""
    model = stand_in(family, lora_dropout=0.1)
    packed = compute(model, random_rows)
    scored = [sum(row.scored[1:]) for row in random_rows]
    loss, total = 0.0, dict.fromkeys(packed.gradients, 0.0)
    for number, (row, count) in enumerate(zip(random_rows, scored, strict=True)):
        if not count:
            continue
        alone = compute(model, [row], numbers=[number])
        share = count / sum(scored)
        loss += alone.loss * share
        total = {name: g + alone.gradients[name] * share for name, g in total.items()}
    assert packed.loss == pytest.approx(loss, rel=1e-6)
    agree(packed, type(packed)(loss, total))


@pytest.mark.parametrize("family", FAMILIES)
def test_evaluation_is_the_stock_model_s(stand_in, plan_of, random_rows, family: str) -> None:
    model = stand_in(family, lora_dropout=0.5)
    step = TrainStep(model, plan_of())
    batch = make_step(random_rows, range(6), Layout(4096))
    found = step.evaluate([batch])
    step.path = StockPath(model, "cpu", torch.float32, 0)
    assert found == pytest.approx(step.evaluate([batch]), rel=1e-6)


@pytest.mark.parametrize("family", ["llama", "mistral"])
@pytest.mark.parametrize("aligned", [False, True])
def test_a_pack_filled_up_to_a_fixed_size_gives_the_same(
    stand_in, plan_of, random_rows, family: str, aligned: bool
) -> None:
    """What captured graphs are replayed on, computed as it is."""
    model = stand_in(family, lora_dropout=0.1)
    step = TrainStep(model, plan_of(), seed=5)
    pack = make_step(random_rows, range(6), Layout(256, sizes=(256,))).packs[0]
    keys = token_keys(5, 3, pack.row_numbers, pack.positions)
    rows = len(pack.row_starts) - 1
    fixed = Sizes(rows * 40, rows, 64, 40, aligned=True) if aligned else fixed_sizes(pack)

    def run(sizes: Sizes) -> tuple[float, torch.Tensor]:
        inputs, loss = make_inputs(sizes, torch.device("cpu")), torch.zeros(())
        fill_inputs(inputs, pack, keys)
        for parameter, gradient in zip(step.parameters, step.gradients.views, strict=True):
            parameter.grad = gradient.zero_()
        step.path.begin()
        step.path._compute(inputs, torch.tensor(0.1), loss)
        return float(loss), torch.cat([g.flatten().clone() for g in step.gradients.views])

    loss, expected = run(exact_sizes(pack))
    filled_loss, filled = run(fixed)
    assert fixed.tokens > len(pack.input_ids)
    assert filled_loss == pytest.approx(loss, rel=1e-6)
    assert (filled - expected).norm() < ERROR * expected.norm()
