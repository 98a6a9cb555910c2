import math

import pytest
import torch
from torch import nn

from nybble.export.verify_merge import (
    MOST_TIMES_ROUNDING,
    Asking,
    Said,
    agreement,
    last_place,
    move_last_place,
    next_token_logits,
)

pytestmark = pytest.mark.slow


def said(logits: torch.Tensor, texts: list[str], stops: tuple[int, ...] = (2,)) -> Said:
    return Said(texts, logits, list(stops), "template")


@pytest.mark.parametrize(
    ("dtype", "unit"),
    [(torch.bfloat16, 2.0**-7), (torch.float16, 2.0**-10), (torch.float32, 2.0**-23)],
)
def test_a_weight_moves_by_one_unit_in_the_last_place(dtype, unit) -> None:
    model = nn.Linear(100, 100, bias=False)
    model.weight.data[:] = 1.5
    move_last_place(model, ["weight"], dtype)
    assert set(model.weight.unique().tolist()) == {1.5 - unit, 1.5, 1.5 + unit}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_moving_has_the_variance_of_rounding(dtype) -> None:
    torch.manual_seed(0)
    model = nn.Linear(1000, 1000, bias=False)
    exact = torch.randn(1000, 1000)
    model.weight.data[:] = rounded = exact.to(dtype).float()
    move_last_place(model, ["weight"], dtype)
    moved = (model.weight.data - rounded).square().mean()
    assert torch.equal(model.weight.data, model.weight.data.to(dtype).float())
    assert float(moved / (exact - rounded).square().mean()) == pytest.approx(1, rel=0.05)


def test_a_zero_stays_and_a_small_number_moves_by_what_float16_has_there() -> None:
    values = torch.tensor([0.0, 2.0**-20, 2.0**-14, 1.0])
    assert last_place(values, torch.float16).tolist() == [0.0, 2.0**-24, 2.0**-24, 2.0**-10]
    assert last_place(values, torch.bfloat16).tolist() == [0.0, 2.0**-27, 2.0**-21, 2.0**-7]


def test_only_the_named_weights_move() -> None:
    model = nn.Sequential(nn.Linear(50, 50), nn.Linear(50, 50))
    before = {name: p.clone() for name, p in model.named_parameters()}
    move_last_place(model, ["1.weight"], torch.bfloat16)
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {"1.weight"}


def test_the_agreement_by_hand() -> None:
    adapter = torch.log(torch.tensor([[0.5, 0.5], [0.25, 0.75]]))
    merged = torch.log(torch.tensor([[0.25, 0.75], [0.25, 0.75]]))
    base, control = adapter + 3.0, merged + 0.5
    found = agreement(said(adapter, ["a", "b"]), base, said(merged, ["a", "c"]), control)
    assert (found.n, found.texts_equal) == (2, 1)
    kl = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert found.max_kl_nats == pytest.approx(kl)
    assert found.kl_nats["value"] == pytest.approx(kl / 2)
    differences = [math.log(2), math.log(1.5), 0, 0]
    rms = math.sqrt(sum(d * d for d in differences) / 4)
    assert found.max_logit_difference == pytest.approx(math.log(2))
    assert found.rms_logit_difference == pytest.approx(rms)
    assert found.times_rounding == pytest.approx(rms / 0.5)
    assert found.share_lost == pytest.approx(rms / 3)


def test_faithful_is_a_difference_that_rounding_explains_and_the_same_stops() -> None:
    adapter, merged = torch.zeros(3, 4), torch.full((3, 4), 1.0)
    texts = ["", "", ""]

    def faithful(rounding: float, stops: tuple[int, ...] = (2,)) -> bool:
        other = said(merged, texts, stops)
        return agreement(said(adapter, texts), adapter, other, merged + rounding).faithful

    assert faithful(1.01 / MOST_TIMES_ROUNDING)
    assert not faithful(0.99 / MOST_TIMES_ROUNDING)
    assert not faithful(1.01 / MOST_TIMES_ROUNDING, stops=(2, 5))


def test_logits_do_not_depend_on_the_batch(mini_model, stage) -> None:
    prompts = [row.input_ids[: row.prompt_lengths[0]] for row in stage.prepared.train[:7]]
    together = next_token_logits(mini_model, stage.tokenizer, Asking(prompts, 1, 10_000))
    alone = next_token_logits(mini_model, stage.tokenizer, Asking(prompts, 1, 1))
    assert together.shape == (7, stage.tokenizer.vocab_size)
    assert torch.allclose(together, alone, atol=1e-4)
    with torch.no_grad():
        plain = mini_model(input_ids=torch.tensor([prompts[3]])).logits[0, -1]
    assert torch.allclose(plain, alone[3], atol=1e-5)
