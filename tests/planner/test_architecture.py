"""Shapes and sizes by arithmetic, against models that transformers, PEFT and bitsandbytes build."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.planner.architecture import (
    FAMILIES,
    adapter_bytes,
    quantised_bytes,
    read_architecture,
)
from nybble.planner.device import Device
from nybble.planner.plan import make_plan
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError

SHARED = ("llama-3.2-3b", "llama-3.2-1b-instruct", "qwen2.5-0.5b-instruct",
          "qwen2.5-coder-0.5b-instruct")  # fmt: skip
LLAMA_3B: dict[str, Any] = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 3072, "intermediate_size": 8192,
    "num_hidden_layers": 28, "num_attention_heads": 24, "num_key_value_heads": 8,
    "head_dim": 128, "tie_word_embeddings": True,
}  # fmt: skip
SMALL = {"vocab_size": 96, "hidden_size": 64, "intermediate_size": 80, "num_hidden_layers": 2,
         "num_attention_heads": 4}  # fmt: skip
VARIANTS: list[dict[str, Any]] = [
    {"model_type": "llama"},
    {"model_type": "llama", "num_key_value_heads": None, "head_dim": None},
    {"model_type": "llama", "attention_bias": True, "mlp_bias": True, "num_key_value_heads": 2},
    {"model_type": "llama", "head_dim": 24, "tie_word_embeddings": True},
    {"model_type": "mistral"},
    {"model_type": "mistral", "attention_bias": True, "head_dim": 32, "num_key_value_heads": 2},
    {"model_type": "qwen2", "num_key_value_heads": 2},
    {"model_type": "qwen2", "tie_word_embeddings": True},
    {"model_type": "qwen2", "num_key_value_heads": None},
    {"model_type": "qwen3", "num_key_value_heads": 2},
    {"model_type": "qwen3", "attention_bias": True, "head_dim": 16, "tie_word_embeddings": True},
]  # fmt: skip
TARGETS: list[str | list[str]] = [
    "attention", "all-linear", ["q_proj", "v_proj"], ["layers.0.mlp.up_proj", "lm_head"],
    ["embed_tokens", "self_attn.o_proj"],
]  # fmt: skip


def shared_config(shared: Path, name: str) -> dict[str, Any]:
    config = json.loads((shared / "models" / name / "config.json").read_text(encoding="utf-8"))
    assert isinstance(config, dict)
    return config


def meta_model(config: dict[str, Any], tmp_path: Path) -> Any:
    """The model that transformers builds from the same config.json, without memory."""
    torch = pytest.importorskip("torch")
    from transformers import AutoConfig, AutoModelForCausalLM

    (tmp_path / "config.json").write_text(json.dumps(config))
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(tmp_path))


def assert_same_parameters(config: dict[str, Any], tmp_path: Path) -> None:
    architecture = read_architecture(config, "here")
    model = meta_model(config, tmp_path)
    ours = {
        name: shape
        for module in architecture.modules
        for path in module.paths
        for name, shape in [
            (f"{path}.weight", module.shape),
            (f"{path}.bias", module.shape[:1] if module.bias else None),
        ]
        if shape is not None and not module.tied
    }
    theirs = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert ours == theirs
    assert architecture.parameters == model.num_parameters()


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_names_and_shapes_are_those_of_the_real_models(
    shared: Path, tmp_path: Path, name: str
) -> None:
    assert_same_parameters(shared_config(shared, name), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_names_and_shapes_of_every_variant(tmp_path: Path, variant: dict[str, Any]) -> None:
    assert_same_parameters(SMALL | variant, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("targets", TARGETS, ids=str)
def test_adapters_have_as_many_parameters_as_pefts(
    shared: Path, tmp_path: Path, name: str, targets: str | list[str]
) -> None:
    from peft import LoraConfig, get_peft_model

    from nybble.model.adapters import ATTENTION

    config = shared_config(shared, name)
    modules = list(ATTENTION) if targets == "attention" else targets
    lora = LoraConfig(r=3, target_modules=modules, task_type="CAUSAL_LM")
    adapted = get_peft_model(meta_model(config, tmp_path), lora)
    theirs = sum(p.numel() for n, p in adapted.named_parameters() if "lora_" in n)
    assert read_architecture(config, "here").lora_parameters(targets, 3) == theirs


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(64, 64), (128, 200), (24, 3000), (512, 1024)])
def test_quantised_bytes_are_those_of_bitsandbytes(shape: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    from bitsandbytes.functional import int8_vectorwise_quant, quantize_4bit

    weight = torch.randn(shape)
    for nested, storage in ((False, "nf4"), (True, "nf4_nested")):
        packed, state = quantize_4bit(weight, compress_statistics=nested, quant_type="nf4")
        kept = [packed, state.absmax]
        kept += [state.state2.absmax, state.offset] if nested else []
        assert quantised_bytes(shape, storage) == sum(t.numel() * t.element_size() for t in kept)
    values, scales, _ = int8_vectorwise_quant(weight.half())
    kept = [values, scales]
    assert quantised_bytes(shape, "int8") == sum(t.numel() * t.element_size() for t in kept)


def test_the_3b_has_its_published_numbers() -> None:
    llama = read_architecture(LLAMA_3B, "here")
    assert llama.parameters == 3_212_749_824
    assert llama.lora_parameters("attention", 32) == 18_350_080
    assert adapter_bytes(18_350_080) == pytest.approx(73.4e6, rel=1e-4)
    assert llama.lora_parameters("all-linear", 16) == 24_313_856
    assert 24_313_856 / llama.parameters == pytest.approx(0.00757, abs=5e-6)
    assert llama.lora_parameters("all-linear", 256) == 389_021_696
    assert llama.lora_parameters(["q_proj", "v_proj"], 16) == 4_587_520


def test_bytes_of_the_3b_in_every_storage() -> None:
    llama = read_architecture(LLAMA_3B, "here")
    linears, rest = 2_818_572_288, 3_212_749_824 - 2_818_572_288
    assert llama.weight_bytes("fp32") == 4 * llama.parameters
    assert llama.weight_bytes("bf16") == 2 * llama.parameters
    rows = 28 * (3072 + 1024 + 1024 + 3072 + 8192 + 8192 + 3072)
    assert llama.weight_bytes("int8") == linears + 4 * rows + 2 * rest
    assert llama.weight_bytes("nf4") == linears // 2 + linears // 64 * 4 + 2 * rest
    nested = linears // 2 + linears // 64 + linears // (64 * 256) * 4 + 28 * 7 * 4
    assert llama.weight_bytes("nf4_nested") == nested + 2 * rest


def test_the_plan_counts_the_same_bytes(shared: Path) -> None:
    recipe = load_recipe("price-demo")
    for name in SHARED:
        config = shared_config(shared, name)
        plan = make_plan(recipe, config, Device("cuda", "a card", (9, 0), 10**11), 128)
        assert plan.weight_bytes == pytest.approx(
            read_architecture(config, name).weight_bytes("nf4_nested"), rel=1e-3
        )


@given(
    family=st.sampled_from(sorted(FAMILIES)),
    layers=st.integers(1, 40),
    hidden=st.integers(1, 64).map(lambda n: 64 * n),
    r=st.integers(1, 64),
)
def test_laws_of_sizes(family: str, layers: int, hidden: int, r: int) -> None:
    config = SMALL | {"model_type": family, "num_hidden_layers": layers, "hidden_size": hidden}
    model = read_architecture(config, "here")
    one = read_architecture(config | {"num_hidden_layers": 1}, "here")
    # Everything outside the layers: two tables and the last norm.
    outside = 2 * SMALL["vocab_size"] * hidden + hidden
    assert model.parameters - outside == layers * (one.parameters - outside)
    assert model.lora_parameters("all-linear", 2 * r) == 2 * model.lora_parameters("all-linear", r)
    assert model.lora_parameters("attention", r) < model.lora_parameters("all-linear", r)
    sizes = [model.weight_bytes(s) for s in ("fp32", "bf16", "int8", "nf4", "nf4_nested")]
    assert sizes == sorted(sizes, reverse=True)
    tied = read_architecture(config | {"tie_word_embeddings": True}, "here")
    assert model.parameters - tied.parameters == math.prod(model.modules[-1].shape)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "models of type 'gpt2' are not known"),
        ({"model_type": None}, "models of type None are not known"),
        ({"model_type": ["llama"]}, "models of type"),
        ({"hidden_size": 0}, "hidden_size = 0 is no size"),
        ({"hidden_size": True}, "hidden_size = True is no size"),
        ({"num_key_value_heads": "8"}, "num_key_value_heads = '8' is no size"),
        ({"intermediate_size": -1}, "intermediate_size = -1 is no size"),
    ],
)
def test_configs_that_say_nothing_of_shapes(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        read_architecture(LLAMA_3B | change, "me/model")
    assert refused.value.message.startswith("me/model: ")
    assert "config.json" in refused.value.fix or "qwen3" in refused.value.fix


@pytest.mark.parametrize("name", ["hidden_size", "vocab_size", "num_hidden_layers"])
def test_a_size_that_is_missing(name: str) -> None:
    config = {key: value for key, value in LLAMA_3B.items() if key != name}
    with pytest.raises(InputError, match=f"{name} is missing"):
        read_architecture(config, "here")


@pytest.mark.parametrize("targets", [["qkv_proj"], ["norm"], ["proj"], ["q_proj.weight"]])
def test_targets_that_name_no_linear(targets: list[str]) -> None:
    with pytest.raises(InputError, match="the model has no such modules") as refused:
        read_architecture(LLAMA_3B, "here").lora_parameters(targets, 8)
    assert "q_proj" in refused.value.fix
