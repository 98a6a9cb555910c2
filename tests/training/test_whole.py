"""The whole model trained, without adapters: it learns, resumes to the bit, and reloads."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from nybble.data.batches import StepLoader, make_step
from nybble.engine.step import TrainStep
from nybble.generation.identity import local_identity
from nybble.model.adapters import trainable_parameters
from nybble.model.load import load_base
from nybble.model.whole import load_whole, untuned
from nybble.pipeline.train import load_model
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.training.checkpoint import save_trained
from nybble.training.loop import Trainer

pytestmark = pytest.mark.slow
WHOLE = ["lora=null", "model.quantization=none", "train.max_steps=4", "train.batch_size=2",
         "train.save_steps=2", "train.eval_steps=0", "train.learning_rate=1e-4",
         "train.weight_decay=0.1"]  # fmt: skip


@pytest.fixture(params=["adamw_torch_fused", "adamw_8bit"])
def whole(request, stage):
    overrides = [*WHOLE, f"train.optim={request.param}"]
    return replace(stage, recipe=load_recipe("price-demo", overrides))


def trainer(stage, plan, path: Path) -> Trainer:
    path.mkdir()
    model = load_model(stage, plan, None)
    step = TrainStep(model, plan, 1)
    loader = StepLoader(stage.prepared.train[:16], 2, 1, step.layout)
    return Trainer(model, step, loader, [], stage.recipe.train, RunFolder(path), "rows", "base")


def test_it_trains_every_weight_in_fp32_and_resumes_to_the_same_bits(whole, plan, tmp_path) -> None:
    # A GPU's compute precision must not reach the weights.
    first = trainer(whole, replace(plan, compute_dtype="bfloat16"), tmp_path / "half")
    assert {p.dtype for p in first.model.parameters()} == {torch.float32}
    once = trainer(whole, plan, tmp_path / "a")
    assert once.train_step.why_stock == "it is trained whole, without adapters"
    before = {n: p.detach().clone() for n, p in trainable_parameters(once.model).items()}
    assert before.keys() == dict(once.model.named_parameters()).keys()
    once.run()
    after = trainable_parameters(once.model)
    assert not any(torch.equal(before[name], p) for name, p in after.items())
    resumed = trainer(whole, plan, tmp_path / "b")
    resumed.run(tmp_path / "a" / "checkpoints" / "checkpoint-2")
    again = trainable_parameters(resumed.model)
    assert all(torch.equal(p, again[name]) for name, p in after.items())


def test_it_reloads_in_plain_transformers_with_the_same_logits(stage, plan, tmp_path) -> None:
    whole = replace(stage, recipe=load_recipe("price-demo", WHOLE))
    trained = trainer(whole, plan, tmp_path / "a")
    trained.run()
    saved = tmp_path / "model"
    saved.mkdir()
    save_trained(trained.model, saved, "base")
    assert json.loads((saved / "config.json").read_text())["use_cache"]
    plain = AutoModelForCausalLM.from_pretrained(saved).eval()
    assert plain.lm_head.weight is plain.model.embed_tokens.weight
    rows = list(stage.prepared.train[:2])
    ids = torch.tensor([rows[0].input_ids])
    with torch.no_grad():
        assert torch.equal(plain(input_ids=ids).logits, trained.model.eval()(input_ids=ids).logits)
    batch = make_step(rows, range(2), trained.train_step.layout)
    again = TrainStep(load_model(whole, plan, saved), plan)
    assert again.evaluate([batch]) == trained.train_step.evaluate([batch])


def test_untuned_it_is_the_base_for_a_while(stage, plan, tmp_path) -> None:
    whole = replace(stage, recipe=load_recipe("price-demo", WHOLE))
    trained = trainer(whole, plan, tmp_path / "a")
    trained.run()
    model, part = trained.model.eval(), whole.recipe.model
    base = load_model(whole, plan, None).eval()
    ids = torch.tensor([stage.prepared.train[0].input_ids])
    with torch.no_grad():
        tuned = model(input_ids=ids).logits
        with untuned(model, stage.model_folder, part, plan):
            assert torch.equal(model(input_ids=ids).logits, base(input_ids=ids).logits)
        assert torch.equal(model(input_ids=ids).logits, tuned)


def test_norms_and_biases_are_not_decayed(stage, plan, tmp_path) -> None:
    whole = replace(stage, recipe=load_recipe("price-demo", WHOLE))
    groups = trainer(whole, plan, tmp_path / "a").update.optimizer.param_groups
    decay = {p.ndim: group["weight_decay"] for group in groups for p in group["params"]}
    assert decay == {2: 0.1, 1: 0.0}


def test_a_base_that_is_stored_quantised_is_refused(stage, plan, tmp_path) -> None:
    load_base(stage.model_folder, stage.recipe.model, plan).save_pretrained(tmp_path)
    for path in stage.model_folder.glob("token*"):
        shutil.copy(path, tmp_path)
    part = load_recipe("price-demo", WHOLE).model
    with pytest.raises(InputError, match="is quantised"):
        load_whole(tmp_path, part, plan)


def test_its_answers_are_not_taken_for_its_bases(stage, plan) -> None:
    """Answers are kept under what tells models apart: here all of the weights."""
    whole = replace(stage, recipe=load_recipe("price-demo", WHOLE))
    model = load_model(whole, plan, None)
    known = ("none", "float32")
    before = local_identity(model, stage.model_folder, *known)
    model.model.norm.weight.data[0] += 1e-3
    after = local_identity(model, stage.model_folder, *known)
    base = local_identity(model, stage.model_folder, *known, adapted=False)
    taught = [
        local_identity(model, stage.model_folder, *known, adapted=False, new_tokens=tokens)
        for tokens in (["<|a|>"], ["<|b|>"])
    ]
    assert len({before, after, base, *taught}) == 5
