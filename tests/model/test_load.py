import json
import shutil
from pathlib import Path

import bitsandbytes
import pytest
import torch

from nybble.data.batches import make_step
from nybble.data.packing import Layout
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.model.load import load_base
from nybble.recipe.schema import ModelPart
from nybble.runs.errors import InputError

pytestmark = pytest.mark.slow


def four_bit_linears(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, bitsandbytes.nn.Linear4bit)}


def test_linears_are_nf4_with_nested_absmax_and_the_rest_is_not(stage, plan) -> None:
    model = load_base(stage.model_folder, stage.recipe.model, plan)
    found = four_bit_linears(model)
    assert len(found) == 4 * 7
    for linear in found.values():
        assert linear.weight.quant_state.quant_type == "nf4"
        assert linear.weight.quant_state.nested
        assert linear.compute_dtype == torch.float32
    assert model.lm_head.weight.dtype == torch.float32
    assert not any(p.requires_grad for p in model.parameters())


def test_quantization_none_leaves_plain_linears(stage, plan) -> None:
    part = stage.recipe.model.model_copy(update={"quantization": "none"})
    assert not four_bit_linears(load_base(stage.model_folder, part, plan))


def test_a_prequantised_base_loads_as_it_is(stage, plan, tmp_path: Path) -> None:
    quantised = load_base(stage.model_folder, stage.recipe.model, plan)
    saved = tmp_path / "mini-bnb-4bit"
    quantised.save_pretrained(saved)
    shutil.copy(stage.model_folder / "tokenizer.json", saved)
    assert json.loads((saved / "config.json").read_text())["quantization_config"]["load_in_4bit"]
    again = load_base(saved, stage.recipe.model, plan)
    before, after = four_bit_linears(quantised), four_bit_linears(again)
    assert before.keys() == after.keys()
    for name in before:
        assert torch.equal(before[name].weight.data, after[name].weight.data)
        assert not after[name].support_avx512bf16_for_cpu


def test_a_base_quantised_by_another_method_is_refused(stage, plan, tmp_path: Path) -> None:
    folder = tmp_path / "gptq"
    shutil.copytree(stage.model_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="quantised by gptq"):
        load_base(folder, ModelPart(base=str(folder)), plan)


def test_an_evaluation_before_training_does_not_change_its_gradients(
    stage, plan, mini_model
) -> None:
    """On some CPUs bitsandbytes repacks weights at the first eval forward: no gradients then."""
    rows = stage.prepared.train[:4]
    batch = make_step(list(rows), range(4), Layout(4096))
    step = TrainStep(mini_model, plan)

    def gradients() -> dict[str, torch.Tensor]:
        step(batch, 0)
        found = {n: p.grad.clone() for n, p in trainable_parameters(mini_model).items()}
        mini_model.zero_grad()
        return found

    for linear in four_bit_linears(mini_model).values():
        assert not linear.support_avx512bf16_for_cpu
    before = gradients()
    step.evaluate([batch])
    after = gradients()
    assert all(torch.equal(before[name], after[name]) for name in before)
