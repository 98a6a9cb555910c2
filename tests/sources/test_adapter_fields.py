import json
from pathlib import Path
from typing import Any

import pytest

from nybble.recipe.schema import LoraPart
from nybble.runs.errors import InputError
from nybble.sources.adapter_fields import check_lora_fields

OWN = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "use_rslora": False,
       "target_modules": ["q_proj", "v_proj", "k_proj", "o_proj"]}  # fmt: skip


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    (tmp_path / "adapter_config.json").write_text(json.dumps(OWN))
    return tmp_path


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"r": 8, "lora_alpha": 16, "target_modules": "attention"},
        {"target_modules": ["v_proj", "q_proj", "o_proj", "k_proj"]},
    ],
)
def test_what_is_left_out_or_the_same_passes(adapter: Path, fields: dict[str, Any]) -> None:
    check_lora_fields(LoraPart.model_validate(fields), adapter)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("r", 64),
        ("lora_alpha", 8.0),
        ("lora_dropout", 0.1),
        ("target_modules", ["q_proj"]),
        ("variant", "rslora"),
        ("variant", "dora"),
        ("modules_to_save", ["embed_tokens"]),
    ],
)
def test_what_would_be_ignored_is_refused(adapter: Path, field: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"lora\.{field} = ") as refused:
        check_lora_fields(LoraPart.model_validate({field: value}), adapter)
    assert f"lora.{field}" in refused.value.fix


def test_an_adapter_that_says_less_is_held_to_what_it_says(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "target_modules": "all"}')
    check_lora_fields(LoraPart(r=64, target_modules="attention"), adapter)


@pytest.mark.parametrize(
    ("asked", "own"),
    [("embed_tokens", ["embed_tokens", "model.embed_tokens"]), ("lm_head", ["model.embed_tokens"])],
)
def test_a_table_that_peft_names_by_its_path_is_what_was_asked(
    adapter: Path, asked: str, own: list[str]
) -> None:
    whole = {"modules_to_save": own, "ensure_weight_tying": True}
    (adapter / "adapter_config.json").write_text(json.dumps(OWN | whole))
    check_lora_fields(LoraPart(modules_to_save=[asked]), adapter)
    with pytest.raises(InputError, match="modules_to_save"):
        check_lora_fields(LoraPart(modules_to_save=["norm"]), adapter)
