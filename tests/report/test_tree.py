import pytest

from nybble.planner.inspection import inspect
from nybble.report.tree import lora_table, module_lines, print_inspection, recipe_line


@pytest.fixture(scope="module")
def inspection():
    return inspect("price-demo", ["lora.r=64", "lora.target_modules=attention"])


def test_modules_are_lines_of_name_shape_and_parameters(inspection):
    lines = module_lines(inspection["modules"])
    assert lines[0].split() == ["model.embed_tokens", "[2048,", "256]", "524,288"]
    assert lines[1].split() == ["model.layers.{0..3}.self_attn.q_proj", "[256,", "256]", "65,536"]
    assert lines[-1].endswith("tied to embed_tokens")
    assert len({len(line) for line in lines}) == 1


def test_a_bias_is_shown():
    module = {"name": "a", "shape": [2, 3], "bias": True, "tied": False, "parameters": 8}
    assert module_lines([module]) == ["a  [2, 3] + bias  8"]


def test_every_rank_is_a_row_and_every_target_three_columns(inspection):
    table = lora_table(inspection)
    assert table.row_count == 6
    assert [column.header for column in table.columns] == [
        "LoRA r", "attention", "share", "MB", "all-linear", "share", "MB",
    ]  # fmt: skip


def test_everything_is_printed_within_eighty_columns(inspection, capsys):
    print_inspection(inspection)
    out = capsys.readouterr().out
    assert f"{inspection['parameters']:,} parameters" in out
    for size in inspection["bytes"].values():
        assert f"{size:,} bytes" in out
    for entry in inspection["lora"]:
        assert f"{entry['parameters']:,}" in out
    assert max(map(len, out.splitlines()[:-1])) <= 80


def test_the_recipes_own_adapters_are_a_sentence(inspection):
    own = inspection["recipe"]
    line = recipe_line(own)
    assert line.startswith("price-demo trains r=64 on attention: ")
    assert f"{own['lora']['parameters']:,}" in line
    assert "goes on from ./mine" in recipe_line({"name": "a", "adapter": "./mine", "lora": None})
