"""The merged weights against the rule written out by hand, over the files of adapter and model."""

import json
import math

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, Qwen2Config, Qwen2ForCausalLM

from nybble.export.merge import merge
from nybble.export.shards import stored_tensors
from nybble.model.load import keep_weights_trainable_on_cpu
from nybble.runs.errors import InputError, NybbleError
from nybble.training.checkpoint import save_adapter

pytestmark = pytest.mark.slow
NF4 = BitsAndBytesConfig(
    load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
)
BF16, FP32 = torch.bfloat16, torch.float32


def load(folder, quantised: bool = True):
    options = {"quantization_config": NF4} if quantised else {}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=FP32, **options)
    for module in model.modules():
        if hasattr(module, "compute_type_is_set"):
            keep_weights_trainable_on_cpu(module)
    return model.requires_grad_(False)


def adapted(model, **settings):
    """`model` with adapters that do something; alpha / r is 2.5."""
    fields = {"r": 4, "lora_alpha": 10, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    peft = get_peft_model(model, LoraConfig(**(fields | settings)))
    generator = torch.Generator().manual_seed(3)
    for name, parameter in peft.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0.0, 0.05, generator=generator)
    return peft


def rows_of(linear: nn.Module) -> torch.Tensor:
    """A linear's weight [out, in] by what it does to unit vectors."""
    inputs = linear.in_features
    bias = linear.bias if linear.bias is not None else 0.0
    with torch.no_grad():
        return (linear(torch.eye(inputs)) - bias).T


def written(folder) -> dict[str, torch.Tensor]:
    return dict(stored_tensors(folder))


def delta(peft, tmp_path, path: str, scaling: float) -> torch.Tensor:
    """scaling * B A from the adapter's file."""
    save_adapter(peft, tmp_path, "base")
    saved = load_file(tmp_path / "adapter_model.safetensors")
    name = f"base_model.model.{path}"
    return scaling * (saved[f"{name}.lora_B.weight"] @ saved[f"{name}.lora_A.weight"])


@pytest.fixture
def base_folder(stage):
    return stage.model_folder


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "merged"
    folder.mkdir()
    return folder


def check_layers(peft, out, tmp_path, scaling: float, dtype=FP32) -> None:
    """Every linear in `out` is round(NF4 weight + scaling * B A)."""
    found = written(out)
    for path, module in peft.get_base_model().named_modules():
        if "lora_A" in dict(module.named_children()):
            expected = rows_of(module.base_layer) + delta(peft, tmp_path, path, scaling)
            tensor = found[f"{path}.weight"]
            assert tensor.dtype == dtype
            spacing = 0.0 if dtype == FP32 else 2.0**-8
            allowed = spacing * expected.abs() + 1e-6
            assert ((tensor.float() - expected).abs() <= allowed).all(), path


@pytest.mark.parametrize("dtype", [FP32, BF16])
def test_every_weight_is_its_nf4_value_and_the_adapters_sum(base_folder, out, tmp_path, dtype):
    peft = adapted(load(base_folder))
    merged = merge(peft, base_folder, out, dtype, False)
    assert len(merged.with_adapter) == 28 and merged.dequantised == []
    check_layers(peft, out, tmp_path, 2.5, dtype)


def test_rslora_scales_by_the_root_of_the_rank(base_folder, out, tmp_path):
    peft = adapted(load(base_folder), use_rslora=True)
    merge(peft, base_folder, out, FP32, False)
    check_layers(peft, out, tmp_path, 10 / math.sqrt(4))


def test_the_sum_is_rounded_once(base_folder, out):
    peft = adapted(load(base_folder))
    exact, rounded = out / "exact", out / "rounded"
    for folder, dtype in ((exact, FP32), (rounded, BF16)):
        folder.mkdir()
        merge(peft, base_folder, folder, dtype, False)
    fine, coarse = written(exact), written(rounded)
    assert all(torch.equal(fine[name].to(BF16), coarse[name]) for name in fine)


def test_layers_without_adapter_keep_their_nf4_values_and_the_rest_its_own(base_folder, out):
    peft = adapted(load(base_folder), target_modules=["q_proj", "v_proj"])
    merged = merge(peft, base_folder, out, FP32, False)
    assert len(merged.with_adapter) == 8 and len(merged.dequantised) == 20
    found, before = written(out), written(base_folder)
    for name in merged.dequantised:
        linear = peft.get_base_model().get_submodule(name.removesuffix(".weight"))
        assert torch.allclose(found[name], rows_of(linear), atol=1e-7, rtol=0)
        assert not torch.equal(found[name], before[name].float())
    rest = found.keys() - {*merged.with_adapter, *merged.dequantised}
    assert "model.embed_tokens.weight" in rest and "model.norm.weight" in rest
    assert all(torch.equal(found[name], before[name].float()) for name in rest)
    assert found.keys() == before.keys()


def test_the_config_is_the_bases_without_quantisation(base_folder, out):
    merge(adapted(load(base_folder)), base_folder, out, BF16, False)
    config = json.loads((out / "config.json").read_text())
    assert "quantization_config" not in config
    before = json.loads((base_folder / "config.json").read_text())
    assert config == before | {"dtype": "bfloat16"}


def test_a_base_that_is_stored_quantised_gives_the_same(base_folder, tmp_path, out):
    stored = tmp_path / "stored"
    model = load(base_folder)
    model.save_pretrained(stored)
    assert any(name.endswith("nf4") for name in written(stored))
    again = tmp_path / "again"
    again.mkdir()
    merge(adapted(model), base_folder, out, FP32, False)
    merge(adapted(load(stored, quantised=False)), stored, again, FP32, False)
    plain, other = written(out), written(again)
    assert plain.keys() == other.keys()
    assert all(torch.allclose(plain[n], other[n], atol=1e-6, rtol=0) for n in plain)
    assert "quantization_config" not in json.loads((again / "config.json").read_text())


def test_an_unquantised_base(base_folder, out, tmp_path):
    peft = adapted(load(base_folder, quantised=False))
    merge(peft, base_folder, out, FP32, False)
    check_layers(peft, out, tmp_path, 2.5)


@pytest.mark.parametrize("targets", [["q_proj", "lm_head"], ["q_proj", "embed_tokens"]])
def test_an_adapter_on_one_of_two_tied_weights_parts_them(base_folder, out, targets):
    peft = adapted(load(base_folder), target_modules=targets).eval()
    merge(peft, base_folder, out, FP32, False)
    assert json.loads((out / "config.json").read_text())["tie_word_embeddings"] is False
    plain = AutoModelForCausalLM.from_pretrained(out, dtype=FP32)
    assert not torch.equal(plain.lm_head.weight, plain.model.embed_tokens.weight)
    ids = torch.arange(5, 45)[None]
    with torch.no_grad():
        assert torch.allclose(plain(ids).logits, peft(ids).logits, atol=1e-4)
        with peft.disable_adapter():
            assert not torch.allclose(plain(ids).logits, peft(ids).logits, atol=1e-2)


@pytest.mark.parametrize(
    ("whole", "count"), [(["norm"], 9), (["embed_tokens"], 1), (["norm", "lm_head"], 10)]
)
def test_modules_that_were_trained_whole_take_the_place_of_the_bases(
    base_folder, out, whole, count
):
    """PEFT trains every module whose name ends so: `norm` is also each layer's two."""
    tied = whole != ["norm"]
    peft = adapted(load(base_folder), modules_to_save=whole, ensure_weight_tying=tied).eval()
    for name, parameter in peft.named_parameters():
        if "modules_to_save" in name:
            parameter.data.mul_(1.1)
    merged = merge(peft, base_folder, out, FP32, False)
    assert len(merged.with_adapter) == 28 + count
    plain, ids = AutoModelForCausalLM.from_pretrained(out, dtype=FP32), torch.arange(5, 45)[None]
    with torch.no_grad():
        assert torch.allclose(plain(ids).logits, peft(ids).logits, atol=1e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_rows_of_new_tokens_are_in_the_merged_tables(base_folder, tmp_path, out, tied):
    base, rows = tmp_path / "base", [2048, 2049]
    model = AutoModelForCausalLM.from_pretrained(base_folder, dtype=FP32)
    if not tied:
        model.config.tie_word_embeddings = False
        model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    model.save_pretrained(base)
    model = load(base)
    model.resize_token_embeddings(2050, mean_resizing=False)
    tables = {"embed_tokens": rows} | ({} if tied else {"lm_head": rows})
    peft = adapted(model, trainable_token_indices=tables).eval()
    for name, parameter in peft.named_parameters():
        if "trainable_tokens" in name:
            parameter.data.normal_(0.0, 0.1)
    merge(peft, base, out, FP32, False)
    plain, ids = AutoModelForCausalLM.from_pretrained(out, dtype=FP32), torch.arange(2030, 2050)
    assert plain.config.vocab_size == 2050
    assert (plain.lm_head.weight is plain.model.embed_tokens.weight) == tied
    with torch.no_grad():
        assert torch.allclose(plain(ids[None]).logits, peft(ids[None]).logits, atol=1e-4)


def test_biases_are_kept(tmp_path, out):
    config = Qwen2Config(
        vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data.normal_()
    base = tmp_path / "base"
    model.save_pretrained(base)
    peft = adapted(load(base)).eval()
    merge(peft, base, out, FP32, False)
    before, found = written(base), written(out)
    biases = [name for name in before if name.endswith("bias")]
    assert len(biases) == 6 and all(torch.equal(found[n], before[n]) for n in biases)
    plain, ids = AutoModelForCausalLM.from_pretrained(out, dtype=FP32), torch.arange(30)[None]
    with torch.no_grad():
        assert torch.allclose(plain(ids).logits, peft(ids).logits, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
    ],
)
def test_an_adapter_that_is_more_than_a_sum_is_refused(base_folder, out, settings, named):
    peft = adapted(load(base_folder, quantised=False), **settings)
    with pytest.raises(InputError, match=named):
        merge(peft, base_folder, out, FP32, False)
    assert list(out.iterdir()) == []


def test_a_value_that_the_dtype_cannot_hold_is_told(base_folder, out):
    peft = adapted(load(base_folder))
    first = peft.get_base_model().model.layers[0].mlp.up_proj
    first.lora_B["default"].weight.data[:] = 1e5
    with pytest.raises(NybbleError, match=r"layers\.0\.mlp\.up_proj\.weight does not fit"):
        merge(peft, base_folder, out, torch.float16, False)


def test_a_base_whose_files_name_tensors_otherwise_is_refused(base_folder, tmp_path, out):
    from safetensors.torch import save_file

    renamed = tmp_path / "renamed"
    renamed.mkdir()
    (renamed / "config.json").write_bytes((base_folder / "config.json").read_bytes())
    save_file({f"other.{n}": t for n, t in written(base_folder).items() if n != "lm_head.weight"},
              renamed / "model.safetensors")  # fmt: skip
    with pytest.raises(NybbleError, match="under names of its own"):
        merge(adapted(load(base_folder)), renamed, out, FP32, False)
