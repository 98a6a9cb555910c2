"""A model of a family that the engine and the planner do not know: trained stock, or refused."""

import shutil
from importlib import resources
from pathlib import Path

import pytest

import nybble
from nybble.runs.errors import InputError

pytestmark = pytest.mark.slow
BUNDLED = Path(str(resources.files("nybble.mini") / "model"))
SHORT = ["data.limit=300", "data.validation=20", "data.test=20", "train.max_steps=2",
         "evaluate.size=0"]  # fmt: skip


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory) -> Path:
    """A GPT-2 with the bundled tokenizer: its linears are transposed and bear other names."""
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("gpt2")
    config = GPT2Config(
        vocab_size=2048, n_positions=256, n_embd=64, n_layer=2, n_head=4,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    for path in BUNDLED.glob("tokenizer*"):
        shutil.copy(path, folder)
    return folder


def test_every_linear_of_it_can_be_adapted(gpt2: Path, tmp_path: Path) -> None:
    folder = nybble.run(
        "price-demo", output=tmp_path / "run", overrides=[f"model.base={gpt2}", *SHORT]
    )
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()


def test_modules_that_it_does_not_have_are_told(gpt2: Path, tmp_path: Path) -> None:
    fields = [f"model.base={gpt2}", "lora.target_modules=attention", *SHORT]
    with pytest.raises(InputError, match=r"model has no such modules") as refused:
        nybble.run("price-demo", output=tmp_path / "run", overrides=fields)
    assert "c_attn" in refused.value.fix
    assert not (tmp_path / "run").exists()
