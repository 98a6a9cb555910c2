"""Tokens that a recipe adds: rows of their own, learnt, saved with the adapter."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from nybble.data.batches import StepLoader
from nybble.data.render import Renderer, TokenRow
from nybble.data.tokenizer import load_tokenizer
from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.model.load import load_base
from nybble.pipeline.train import load_model
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.training.checkpoint import save_adapter
from nybble.training.loop import Trainer

pytestmark = pytest.mark.slow
TOKENS = ["<|call|>", "<|end call|>"]
SHORT = ["train.max_steps=4", "train.batch_size=2", "train.save_steps=2", "train.eval_steps=0",
         "train.learning_rate=1e-3", "train.warmup_steps=0", "lora.r=4",
         "lora.target_modules=attention", f"model.new_tokens={json.dumps(TOKENS)}"]  # fmt: skip
TEXT = "hello <|call|> lamp <|end call|>"


def untied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text()) | {"tie_word_embeddings": False}
    (to / "config.json").write_text(json.dumps(config))
    tensors = load_file(to / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, to / "model.safetensors", metadata={"format": "pt"})
    return to


@pytest.fixture(params=["tied", "untied"])
def extended(request, stage, tmp_path):
    """The small demo with new tokens, whose model has one table or two."""
    folder = stage.model_folder
    folder = folder if request.param == "tied" else untied(folder, tmp_path / "untied")
    tokenizer = load_tokenizer(folder, new_tokens=TOKENS)
    renderer = Renderer(tokenizer, stage.renderer.template.today)
    return replace(
        stage, recipe=load_recipe("price-demo", SHORT), model_folder=folder, renderer=renderer
    )


def trainer(stage, plan, path: Path) -> Trainer:
    path.mkdir()
    model = load_model(stage, plan, None)
    ids = stage.tokenizer(TEXT).input_ids
    rows = [TokenRow(i, [*ids, 5 + i], [False] + [True] * len(ids), (1,)) for i in range(8)]
    step = TrainStep(model, plan, 1)
    loader = StepLoader(rows, 2, 1, step.layout)
    return Trainer(model, step, loader, [], stage.recipe.train, RunFolder(path), "rows", "base")


def logits(model, stage):
    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor([stage.tokenizer(TEXT).input_ids])).logits


def test_their_rows_alone_are_learnt_resumed_and_reloaded(extended, plan, tmp_path) -> None:
    whole = trainer(extended, plan, tmp_path / "a")
    tables = 1 if whole.model.config.tie_word_embeddings else 2
    rows = {n: p for n, p in trainable_parameters(whole.model).items() if "lora" not in n}
    assert [tuple(p.shape) for p in rows.values()] == [(2, 256)] * tables
    before = {name: p.detach().clone() for name, p in rows.items()}
    whole.run()
    assert all((before[name] != p).any(dim=1).all() for name, p in rows.items())
    resumed = trainer(extended, plan, tmp_path / "b")
    resumed.run(tmp_path / "a" / "checkpoints" / "checkpoint-2")
    again = trainable_parameters(resumed.model)
    assert all(torch.equal(p, again[n]) for n, p in trainable_parameters(whole.model).items())

    adapter = tmp_path / "adapter"
    adapter.mkdir()
    save_adapter(whole.model, adapter, "base")
    extended.tokenizer.save_pretrained(adapter)
    size = (adapter / "adapter_model.safetensors").stat().st_size
    assert size < 4 * sum(p.numel() for p in trainable_parameters(whole.model).values()) + 10_000
    assert torch.equal(logits(load_model(extended, plan, adapter), extended),
                       logits(whole.model, extended))  # fmt: skip
    # As anybody would: the base, room for the tokenizer's tokens, the adapter.
    part = extended.recipe.model.model_copy(update={"new_tokens": []})
    base = load_base(extended.model_folder, part, plan)
    base.resize_token_embeddings(len(load_tokenizer(adapter)), mean_resizing=False)
    plain = PeftModel.from_pretrained(base, adapter)
    assert torch.equal(logits(plain, extended), logits(whole.model, extended))


def test_they_begin_as_the_mean_of_what_they_were_written_with(extended, plan) -> None:
    model = load_base(extended.model_folder, extended.recipe.model, plan)
    before = load_tokenizer(extended.model_folder)(TOKENS[0], add_special_tokens=False).input_ids
    for table in (model.get_input_embeddings().weight, model.get_output_embeddings().weight):
        row = table[extended.new_token_ids[0]]
        torch.testing.assert_close(row, table[before].mean(0), rtol=0, atol=0)


def test_a_padded_vocabulary_keeps_its_size(extended, plan, tmp_path) -> None:
    padded = tmp_path / "padded"
    model = AutoModelForCausalLM.from_pretrained(extended.model_folder, dtype=torch.float32)
    model.resize_token_embeddings(2112, mean_resizing=False)
    model.save_pretrained(padded)
    for path in extended.model_folder.glob("token*"):
        shutil.copy(path, padded)
    model = load_base(padded, extended.recipe.model, plan)
    assert model.get_input_embeddings().weight.shape[0] == model.config.vocab_size == 2112


def test_an_adapter_without_them_is_refused(extended, stage, plan, tmp_path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    part = [word for word in SHORT if "new_tokens" not in word]
    without = replace(extended, recipe=load_recipe("price-demo", part), renderer=stage.renderer)
    save_adapter(load_model(without, plan, None), plain, "base")
    with pytest.raises(InputError, match=r"has not learnt all of model\.new_tokens"):
        load_model(extended, plan, plain)


def test_an_adapter_with_them_is_refused_by_a_base_without(extended, stage, plan, tmp_path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    save_adapter(load_model(extended, plan, None), adapter, "base")
    part = [word for word in SHORT if "new_tokens" not in word]
    without = replace(extended, recipe=load_recipe("price-demo", part), renderer=stage.renderer)
    with pytest.raises(InputError, match="does not fit the model") as refused:
        load_model(without, plan, adapter)
    assert "model.new_tokens" in refused.value.fix


@pytest.mark.parametrize(
    "override", ["lora.modules_to_save=[embed_tokens]", "lora.target_modules=[q_proj,lm_head]"]
)
def test_a_table_is_not_trained_twice(extended, plan, override) -> None:
    both = replace(extended, recipe=load_recipe("price-demo", [*SHORT, override]))
    with pytest.raises(InputError, match=r"model\.new_tokens are learnt by themselves"):
        load_model(both, plan, None)
