"""Tiny random models of every family that the decode loop knows, and a tokenizer of numbers."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

VOCABULARY = 60
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {"tie_word_embeddings": True},
    "qwen2": {},
    "qwen3": {"head_dim": 16},
    "mistral": {"sliding_window": 5, "head_dim": 8},
}


class Numbers:
    """A tokenizer whose text names the ids: what was generated can be read off the answer."""

    eos_token_id: int | None = 1
    pad_token_id: int | None = None
    chat_template = None

    def decode(self, ids: list[int], **_: Any) -> str:
        return "".join(f"{token} " for token in ids)


@pytest.fixture(scope="session")
def numbers() -> Numbers:
    return Numbers()


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], Any]:
    """A model of a family in fp32, with adapters that change what it says."""

    @cache
    def make(family: str) -> Any:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoConfig, AutoModelForCausalLM

        model = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(family, **(SIZES | FAMILIES.get(family, {})))
        )
        lora = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear")
        model = get_peft_model(model, lora).eval()
        generator = torch.Generator().manual_seed(3)
        for name, parameter in model.named_parameters():
            middle = 1.0 if "norm" in name else 0.0
            parameter.data.normal_(middle, 0.3, generator=generator)
        model.generation_config.eos_token_id = None
        model.generation_config.pad_token_id = None
        return model

    return make
