"""The memory tables of the pages, computed again from the models' configurations."""

import json
from pathlib import Path

import pytest

from nybble.planner.device import Device
from nybble.planner.plan import make_plan
from nybble.recipe import load_recipe
from nybble.recipe.schema import Recipe

PAGES = Path(__file__).parents[2] / "docs" / "journeys"
# Pages by recipe, and the configuration in ../shared/models of the recipe's model or of its shape.
MODELS = {
    "mbpp-coder": ("mbpp-coder", "qwen2.5-coder-0.5b-instruct"),
    "python-style": ("python-style", "qwen2.5-0.5b-instruct"),
    "finetome-chat": ("finetome-chat", "llama-3.2-3b"),
    "llama-kaggle": ("llama-kaggle", "llama-3.2-3b"),
    "price-lite": ("price", "llama-3.2-3b"),
    "price-full": ("price", "llama-3.2-3b"),
}
CARD = Device("cuda", "a card with bf16", (8, 0), 0)
# A value, its gradient and AdamW's two moments, all fp32.
ADAPTER_BYTES = 16


def linears(config: dict) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of a layer's linears."""
    hidden, mlp, heads = (
        config[key] for key in ("hidden_size", "intermediate_size", "num_attention_heads")
    )
    head = config.get("head_dim", hidden // heads)
    query, key = heads * head, config["num_key_value_heads"] * head
    return {
        "q": (hidden, query), "k": (hidden, key), "v": (hidden, key), "o": (query, hidden),
        "gate": (hidden, mlp), "up": (hidden, mlp), "down": (mlp, hidden),
    }  # fmt: skip


def adapter_parameters(recipe: Recipe, config: dict) -> int:
    names = "qkvo" if recipe.lora.target_modules == "attention" else linears(config)
    per_rank = sum(sum(linears(config)[name]) for name in names)
    return recipe.lora.r * per_rank * config["num_hidden_layers"]


def parameters(config: dict) -> int:
    """All of a Llama's or Qwen2's: linears, biases of q, k and v in Qwen2, norms, embedding."""
    shapes = linears(config)
    layer = sum(a * b for a, b in shapes.values()) + 2 * config["hidden_size"]
    if config["model_type"] == "qwen2":
        layer += sum(shapes[name][1] for name in "qkv")
    tables = config["vocab_size"] * config["hidden_size"]
    return layer * config["num_hidden_layers"] + config["hidden_size"] + tables


def table(recipe: Recipe, config: dict) -> str:
    """The table of one recipe: everything follows from its fields and the configuration."""
    longest, count = recipe.data.max_length, adapter_parameters(recipe, config)
    plan = make_plan(recipe, config, CARD, longest)
    assert plan.recompute_layers == config["num_hidden_layers"]
    rows = {
        "download, 2 bytes a parameter": 2 * parameters(config),
        "base on the card: linears in NF4, embedding in 16 bits": plan.weight_bytes,
        f"{count:,} adapter parameters, with gradients and AdamW": ADAPTER_BYTES * count,
        f"one row of {longest:,} tokens, layers recomputed": longest * plan.bytes_per_token,
    }
    rows["the last three together"] = sum(list(rows.values())[1:])
    lines = [f"| {what} | {value / 1e9:.2f} GB |" for what, value in rows.items()]
    return "\n".join([f"| `{recipe.name}`, computed | |", "|---|---|", *lines])


@pytest.mark.parametrize("name", MODELS)
def test_the_page_has_the_table(shared: Path, name: str):
    page, model = MODELS[name]
    config = json.loads((shared / "models" / model / "config.json").read_text())
    expected = table(load_recipe(name), config)
    assert expected in (PAGES / f"{page}.md").read_text(encoding="utf-8"), f"\n{expected}"


@pytest.mark.parametrize(
    ("name", "count"),
    [("price-lite", 18_350_080), ("finetome-chat", 24_313_856), ("price-full", 389_021_696)],
)
def test_the_counts_are_the_known_ones(shared: Path, name: str, count: int):
    config = json.loads((shared / "models" / "llama-3.2-3b" / "config.json").read_text())
    assert adapter_parameters(load_recipe(name), config) == count
    assert parameters(config) == 3_212_749_824
