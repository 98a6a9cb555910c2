import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

import nybble.export.inference_files as files
import nybble.export.merge as rule
from nybble.pipeline.merge import held_out, merge_lines, merge_run
from nybble.recipe import dump_recipe, load_recipe
from nybble.runs.errors import InputError, NybbleError
from nybble.runs.folder import RunFolder, create_run_folder
from nybble.runs.lock import locked
from nybble.training.checkpoint import save_adapter

pytestmark = pytest.mark.slow
OVERRIDES = ["data.limit=700", "data.validation=250", "data.test=60", "evaluate.max_new_tokens=16"]


@pytest.fixture
def run(tmp_path, mini_model, stage) -> RunFolder:
    """A run whose adapter changes most answers, with 250 validation rows."""
    recipe = dump_recipe(load_recipe("price-demo", OVERRIDES))
    folder = create_run_folder("demo", tmp_path / "run", False, recipe)
    folder.adapter.mkdir()
    save_adapter(mini_model, folder.adapter, stage.base_reference)
    with locked(folder.path):  # as a training does, which leaves the lock's file
        return folder


def merged(folder: RunFolder, dtype: str, most: int = 40) -> dict:
    recipe = load_recipe(str(folder.recipe))
    return merge_run(folder, recipe, folder.path / "merged", dtype, most)


def test_two_hundred_greedy_texts_are_the_adapters(run) -> None:
    report = merged(run, "float32", 200)
    assert (report["n"], report["texts_equal"]) == (200, 200)
    assert report["prompts"] == {"validation": 200}
    assert report["faithful"] and report["share_lost"] < 1e-5
    assert report["max_logit_difference"] < 1e-3
    assert json.loads((run.path / "merged" / "merge.json").read_text()) == report
    assert "200 of 200 greedy texts equal" in "\n".join(merge_lines(report))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits_differ_by_rounding_alone(run, dtype) -> None:
    report = merged(run, dtype)
    assert 0 < report["times_rounding"] < report["most_times_rounding"]
    assert report["share_lost"] < 0.05
    model = AutoModelForCausalLM.from_pretrained(run.path / "merged", dtype="auto")
    assert model.dtype == getattr(torch, dtype)
    assert not hasattr(model.config, "quantization_config")


def test_plain_transformers_finds_what_inference_needs(run, stage) -> None:
    merged(run, "bfloat16", 10)
    folder = run.path / "merged"
    assert GenerationConfig.from_pretrained(folder).eos_token_id == [stage.tokenizer.eos_token_id]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == stage.tokenizer.chat_template
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.generation_config.eos_token_id == [stage.tokenizer.eos_token_id]


def requantised(module, stored=None):
    import bitsandbytes

    weight = RIGHT(module, stored).contiguous()
    packed, state = bitsandbytes.functional.quantize_4bit(
        weight, quant_type="nf4", compress_statistics=True
    )
    return bitsandbytes.functional.dequantize_4bit(packed, state)


def on_the_original(module, stored=None):
    return stored.float() + module.get_delta_weight("default")


def wrongly_scaled(module, stored=None):
    return RIGHT(module, stored) + module.get_delta_weight("default")


def without_one_layer(module, stored=None):
    weight = RIGHT(module, stored)
    if weight.shape[0] == 704:  # gate and up
        return weight - module.get_delta_weight("default")
    return weight


RIGHT = rule.merged_weight


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("wrong", [requantised, on_the_original, wrongly_scaled, without_one_layer])
def test_a_merge_that_is_not_faithful_fails_and_leaves_nothing(
    run, monkeypatch, wrong, dtype
) -> None:
    monkeypatch.setattr(rule, "merged_weight", wrong)
    before = sorted(run.path.iterdir())
    with pytest.raises(NybbleError, match="is not the adapter on its base") as told:
        merged(run, dtype)
    assert told.value.exit_code == 1
    assert sorted(run.path.iterdir()) == before


def test_other_stop_tokens_are_a_difference(run, monkeypatch) -> None:
    right = files.write_inference_files

    def other_stops(tokenizer, stops, base, folder):
        right(tokenizer, [*stops, 7], base, folder)

    monkeypatch.setattr(files, "write_inference_files", other_stops)
    with pytest.raises(NybbleError, match="stops at other tokens"):
        merged(run, "bfloat16", 5)


def test_prompts_are_held_out_and_inferences_own(stage) -> None:
    some = held_out(stage, 80)
    assert some.parts == {"validation": 50, "test": 30} and len(some.prompts) == 80
    rows = stage.prepared.validation
    assert some.prompts[:50] == [row.input_ids[: row.prompt_lengths[-1]] for row in rows]
    text = stage.prepared.splits.test[0].prompt
    assert some.prompts[50] == stage.renderer.prompt_ids([text])[0]
    splits = replace(stage.prepared.splits, test=[])
    bare = replace(stage, prepared=replace(stage.prepared, validation=[], splits=splits))
    assert held_out(bare, 3).parts == {"train": 3}


def test_an_output_that_exists_and_a_run_without_adapter_are_refused(run) -> None:
    (run.path / "merged").mkdir()
    with pytest.raises(InputError, match="exists already"):
        merged(run, "float32")
    (run.path / "merged").rmdir()
    run.adapter.rename(run.path / "away")
    with pytest.raises(InputError, match="is not trained yet"):
        merged(run, "float32")


def test_a_trained_adapter_carries_what_inference_needs(finished: Path, stage) -> None:
    adapter = finished / "adapter"
    assert GenerationConfig.from_pretrained(adapter).eos_token_id == [stage.tokenizer.eos_token_id]
    tokenizer = AutoTokenizer.from_pretrained(adapter)
    assert tokenizer.chat_template == stage.tokenizer.chat_template
    assert tokenizer.eos_token == stage.tokenizer.eos_token
