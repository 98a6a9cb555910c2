"""What is inspected: a model by itself, or that of a recipe with the recipe's own adapters."""

import json
from pathlib import Path
from typing import Any

import pytest

from nybble.planner.inspection import RANKS, inspect
from nybble.runs.errors import InputError

CONFIG = {
    "model_type": "qwen3", "vocab_size": 96, "hidden_size": 64, "intermediate_size": 80,
    "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder that holds its config.json and no weights at all."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def test_a_config_is_enough(folder: Path) -> None:
    found = inspect(str(folder), [])
    names = [module["name"] for module in found["modules"]]
    assert "model.layers.{0..2}.self_attn.q_norm" in names
    counted = sum(module["copies"] * module["parameters"] for module in found["modules"])
    assert counted == found["parameters"]
    assert found["recipe"] is None
    assert [(entry["target_modules"], entry["r"]) for entry in found["lora"]] == [
        (targets, r) for targets in ("attention", "all-linear") for r in RANKS
    ]
    json.dumps(found)


def test_the_bundled_model_by_its_reference_and_by_its_recipe() -> None:
    by_reference, by_recipe = inspect("bundled:mini", []), inspect("price-demo", [])
    assert by_reference | {"recipe": by_recipe["recipe"]} == by_recipe


def test_the_recipes_own_adapters(folder: Path) -> None:
    overrides = [f"model.base={folder}", "lora.r=5", "lora.target_modules=[q_proj, v_proj]"]
    own: dict[str, Any] = inspect("price-demo", overrides)["recipe"]
    # q is [64, 64] and v [32, 64], in each of three layers.
    assert own["lora"]["parameters"] == 3 * 5 * (128 + 96)
    assert own["lora"]["adapter_bytes"] == 4 * own["lora"]["parameters"]
    assert (own["name"], own["adapter"]) == ("price-demo", None)


def test_an_adapter_to_go_on_from_has_sizes_of_its_own() -> None:
    own = inspect("price-demo", ["model.adapter=./mine"])["recipe"]
    assert own == {"name": "price-demo", "adapter": "./mine", "lora": None}


@pytest.mark.parametrize(
    ("target", "overrides", "message"),
    [
        ("price-dem", [], "No recipe is called 'price-dem'"),
        ("nowhere.yaml", [], "no recipe file nowhere.yaml"),
        ("./nowhere", [], "nowhere does not exist"),
        ("bundled:maxi", [], "No bundled model"),
        ("bundled:mini", ["lora.r=3"], "has no field lora.r"),
    ],
)
def test_what_cannot_be_inspected(target: str, overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        inspect(target, overrides)


def test_a_family_that_is_not_known(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match="'gpt2' are not known") as refused:
        inspect(str(folder), [])
    assert "llama, mistral, qwen2, qwen3" in refused.value.fix
