from pathlib import Path

import pytest
import torch
from peft import IA3Config, KasaConfig, LoraConfig, MontecloraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from nybble.model.adapters import (
    attach_adapters,
    load_adapters,
    trainable_parameters,
    without_adapters,
)
from nybble.model.load import load_base
from nybble.recipe.schema import LoraPart
from nybble.runs.errors import InputError
from nybble.training.checkpoint import save_adapter

pytestmark = pytest.mark.slow


@pytest.fixture
def base(stage, plan):
    return load_base(stage.model_folder, stage.recipe.model, plan)


def suffixes(model) -> set[str]:
    return {name.split(".lora_")[0].rpartition(".")[2] for name in trainable_parameters(model)}


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ("attention", {"q_proj", "k_proj", "v_proj", "o_proj"}),
        (["v_proj"], {"v_proj"}),
        (
            "all-linear",
            {f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")},
        ),
    ],
)
def test_targets(base, targets, expected) -> None:
    assert suffixes(attach_adapters(base, LoraPart(target_modules=targets), 0)) == expected


def test_only_adapters_train_and_all_of_them_in_fp32(base) -> None:
    model = attach_adapters(base, LoraPart(), 0)
    found = trainable_parameters(model)
    assert found and all("lora_" in name for name in found)
    assert {p.dtype for p in found.values()} == {torch.float32}


def test_modules_that_are_not_there_are_named(base) -> None:
    with pytest.raises(InputError, match="no such modules") as caught:
        attach_adapters(base, LoraPart(target_modules=["query"]), 0)
    assert "q_proj" in caught.value.fix


@pytest.mark.parametrize("name", ["down_proj", "mlp"])
def test_weights_in_four_bits_are_not_trained_whole(base, name) -> None:
    part = LoraPart(target_modules="attention", modules_to_save=[name])
    with pytest.raises(InputError, match=f"lora.modules_to_save has '{name}'.*quantised"):
        attach_adapters(base, part, 0)


@pytest.mark.parametrize(("variant", "scale"), [("lora", 32 / 16), ("rslora", 32 / 4)])
def test_scaling_is_alpha_over_r_or_over_its_root(base, variant, scale) -> None:
    model = attach_adapters(base, LoraPart(variant=variant), 0)
    layers = [m for m in model.modules() if hasattr(m, "lora_A")]
    assert {layer.scaling["default"] for layer in layers} == {scale}


def test_the_seed_decides_the_start(stage, plan) -> None:
    def start(seed: int) -> torch.Tensor:
        base = load_base(stage.model_folder, stage.recipe.model, plan)
        model = attach_adapters(base, LoraPart(), seed)
        return next(p for n, p in trainable_parameters(model).items() if "lora_A" in n)

    assert torch.equal(start(1), start(1))
    assert not torch.equal(start(1), start(2))


def test_adapters_stored_in_bf16_are_fp32_after_loading(
    stage, plan, mini_model, tmp_path: Path
) -> None:
    save_adapter(mini_model, tmp_path, "base")
    path = tmp_path / "adapter_model.safetensors"
    save_file({k: v.bfloat16() for k, v in load_file(path).items()}, path)
    base = load_base(stage.model_folder, stage.recipe.model, plan)
    loaded = trainable_parameters(load_adapters(base, tmp_path))
    assert {p.dtype for p in loaded.values()} == {torch.float32}
    assert len(loaded) == len(trainable_parameters(mini_model))


def test_adapters_of_another_model_are_told(stage, plan, base, tmp_path) -> None:
    save_adapter(attach_adapters(base, LoraPart(r=2), 0), tmp_path, "bundled")
    path = tmp_path / "adapter_model.safetensors"
    tensors = {name: torch.cat([t, t], 0) for name, t in load_file(path).items()}
    save_file(tensors, path)
    other = load_base(stage.model_folder, stage.recipe.model, plan)
    with pytest.raises(InputError, match="does not fit the model"):
        load_adapters(other, tmp_path)


def test_adapters_of_modules_that_the_model_lacks_are_told(stage, plan, base, tmp_path) -> None:
    save_adapter(attach_adapters(base, LoraPart(r=2), 0), tmp_path, "bundled")
    path = tmp_path / "adapter_config.json"
    path.write_text(path.read_text().replace("_proj", "_nowhere"))
    other = load_base(stage.model_folder, stage.recipe.model, plan)
    with pytest.raises(InputError, match="does not fit the model"):
        load_adapters(other, tmp_path)


@pytest.mark.parametrize(
    "variant",
    [{"kasa_config": KasaConfig()}, {"use_qalora": True, "qalora_group_size": 16},
     {"monteclora_config": MontecloraConfig()}],
    ids=lambda value: next(iter(value)),
)  # fmt: skip
def test_a_variant_that_would_silently_be_plain_lora_is_refused(
    stage, plan, tmp_path, variant
) -> None:
    """On a 4-bit linear PEFT passes over it without a word."""
    part = stage.recipe.model.model_copy(update={"quantization": "none"})
    config = LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM", **variant)
    get_peft_model(load_base(stage.model_folder, part, plan), config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="would be plain LoRA") as refused:
        load_adapters(load_base(stage.model_folder, stage.recipe.model, plan), tmp_path)
    assert next(iter(variant)) in refused.value.message


def test_an_adapter_that_is_no_lora_is_refused(base, tmp_path) -> None:
    config = IA3Config(
        target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"],
        task_type="CAUSAL_LM",
    )  # fmt: skip
    get_peft_model(base, config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="is of the kind IA3"):
        load_adapters(base, tmp_path)


@pytest.mark.parametrize("saved", [[], ["embed_tokens"], ["norm"]])
def test_a_base_is_what_it_was_when_its_adapters_are_off(base, saved) -> None:
    before = {name: value.clone() for name, value in base.state_dict().items()}
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        logits = base(ids).logits
        model = attach_adapters(base, LoraPart(modules_to_save=saved), 0)
        for parameter in trainable_parameters(model).values():
            parameter.add_(0.1)
        assert not torch.allclose(model(ids).logits, logits, atol=1e-3)
        after = without_adapters(model)
        assert torch.equal(after(ids).logits, logits)
    assert after.state_dict().keys() == before.keys()
    assert not trainable_parameters(after)
