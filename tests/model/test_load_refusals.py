"""Models whose files are whole, but not a model together."""

import json
import shutil
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from nybble.model.load import load_base
from nybble.recipe.schema import ModelPart
from nybble.runs.errors import InputError

pytestmark = pytest.mark.slow
BUNDLED = Path(str(resources.files("nybble.mini") / "model"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(BUNDLED, tmp_path / "model")
    return tmp_path / "model"


def load(folder: Path) -> None:
    plan = SimpleNamespace(
        device="cpu", compute_dtype="float32", recompute_layers=0, host_vocabulary=False
    )
    load_base(folder, ModelPart(base=str(folder), quantization="none"), plan)


def change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_cpu_only_bitsandbytes_on_a_gpu_machine(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("bitsandbytes.cextension.lib", SimpleNamespace(compiled_with_cuda=False))
    plan = SimpleNamespace(
        device="cuda", compute_dtype="bfloat16", recompute_layers=0, host_vocabulary=False
    )
    with pytest.raises(InputError, match="CPU-only") as told:
        load_base(folder, ModelPart(base=str(folder)), plan)
    assert "bitsandbytes" in told.value.fix


def test_four_bits_on_a_cpu_where_blocks_span_rows(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=64, hidden_size=96, intermediate_size=128, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=4,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    plan = SimpleNamespace(
        device="cpu", compute_dtype="float32", recompute_layers=0, host_vocabulary=False
    )
    with pytest.raises(InputError, match="96 inputs, no multiple of 64"):
        load_base(tmp_path, ModelPart(base=str(tmp_path)), plan)
    load_base(tmp_path, ModelPart(base=str(tmp_path), quantization="none"), plan)


def test_weights_that_are_not_there_are_not_made_up(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 of its weights: model\.layers\.1\.mlp\.up_proj"):
        load(folder)


def test_a_config_of_another_size_is_told(folder: Path) -> None:
    size = json.loads((folder / "config.json").read_text())["intermediate_size"]
    change_config(folder, intermediate_size=2 * size)
    with pytest.raises(InputError, match="cannot be loaded"):
        load(folder)


@pytest.mark.parametrize("model_type", ["nosuch", "t5"])
def test_a_model_of_another_kind_is_told(folder: Path, model_type: str) -> None:
    change_config(folder, model_type=model_type)
    with pytest.raises(InputError, match="cannot be loaded"):
        load(folder)


def test_a_gpu_that_is_full_is_another_matter(folder: Path, monkeypatch) -> None:
    def fail(*_arguments, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr("nybble.model.load.AutoModelForCausalLM.from_pretrained", fail)
    with pytest.raises(torch.OutOfMemoryError):
        load(folder)
