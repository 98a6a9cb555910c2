"""Each variant trains the bundled model, resumes to the same bits, and reloads in plain PEFT."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from nybble.data.batches import StepLoader, make_step
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
SHORT = ["train.max_steps=4", "train.batch_size=2", "train.save_steps=2", "train.eval_steps=0",
         "train.learning_rate=1e-3", "train.warmup_steps=0", "lora.r=4",
         "lora.target_modules=attention"]  # fmt: skip


def varied(stage, *overrides: str):
    """`stage` with another recipe on the same rows."""
    return replace(stage, recipe=load_recipe("price-demo", [*SHORT, *overrides]))


def trainer(stage, plan, path: Path) -> Trainer:
    path.mkdir()
    model = load_model(stage, plan, None)
    step = TrainStep(model, plan, 1)
    loader = StepLoader(stage.prepared.train[:16], 2, 1, step.layout)
    return Trainer(model, step, loader, [], stage.recipe.train, RunFolder(path), "rows", "base")


@pytest.mark.parametrize(
    ("overrides", "stock"),
    [
        (["model.quantization=fp4"], None),
        (["model.quantization=int8"], "its weights are torch.int8"),
        (["model.quantization=none", "lora.variant=rslora"], None),
        (["lora.variant=dora"], "its adapters are DoRA"),
        (["lora.modules_to_save=[norm]"], "is trained"),
        (["lora.modules_to_save=[embed_tokens]"], "is trained"),
        (["train.optim=adamw_8bit"], None),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_it_trains_resumes_and_reloads(stage, plan, tmp_path, overrides, stock) -> None:
    varied_stage = varied(stage, *overrides)
    whole = trainer(varied_stage, plan, tmp_path / "a")
    why = whole.train_step.why_stock
    assert why is None if stock is None else stock in str(why)
    before = {n: p.detach().clone() for n, p in trainable_parameters(whole.model).items()}
    whole.run()
    after = trainable_parameters(whole.model)
    assert all(not torch.equal(before[n], p) for n, p in after.items() if "lora_A" not in n)
    resumed = trainer(varied_stage, plan, tmp_path / "b")
    resumed.run(tmp_path / "a" / "checkpoints" / "checkpoint-2")
    again = trainable_parameters(resumed.model)
    assert all(torch.equal(p, again[n]) and p.dtype == torch.float32 for n, p in after.items())

    adapter = tmp_path / "adapter"
    adapter.mkdir()
    save_adapter(whole.model, adapter, "base")
    base = load_base(stage.model_folder, varied_stage.recipe.model, plan)
    plain = PeftModel.from_pretrained(base, adapter).eval()
    rows = list(stage.prepared.train[:2])
    ids = torch.tensor([rows[0].input_ids])
    with torch.no_grad():
        assert torch.equal(plain(input_ids=ids).logits, whole.model.eval()(input_ids=ids).logits)
    batch = make_step(rows, range(2), whole.train_step.layout)
    assert TrainStep(load_model(varied_stage, plan, adapter), plan).evaluate([batch]) == (
        pytest.approx(whole.train_step.evaluate([batch]), rel=1e-6)
    )


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["lora.target_modules=[q_proj,lm_head]"], "lora.target_modules has lm_head"),
        (["lora.target_modules=[q_proj,qq_proj]"], "lora.target_modules has 'qq_proj'"),
        (["lora.modules_to_save=[nrom]"], "lora.modules_to_save has 'nrom'"),
    ],
)
def test_what_peft_would_pass_over_is_refused(stage, plan, overrides, told) -> None:
    with pytest.raises(InputError) as refused:
        load_model(varied(stage, *overrides), plan, None)
    assert refused.value.message.startswith(told)


def test_a_checkpoint_of_another_optimiser_is_refused(stage, plan, tmp_path) -> None:
    trainer(varied(stage), plan, tmp_path / "a").run()
    other = trainer(varied(stage, "train.optim=adamw_8bit"), plan, tmp_path / "b")
    with pytest.raises(InputError, match="another optimiser"):
        other.run(tmp_path / "a" / "checkpoints" / "checkpoint-2")


def test_a_vocabulary_of_two_tables_takes_lora(stage, plan, tmp_path) -> None:
    untied = tmp_path / "untied"
    shutil.copytree(stage.model_folder, untied)
    config = json.loads((untied / "config.json").read_text()) | {"tie_word_embeddings": False}
    (untied / "config.json").write_text(json.dumps(config))
    tensors = load_file(untied / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, untied / "model.safetensors", metadata={"format": "pt"})
    other = replace(
        varied(stage, "lora.target_modules=[q_proj,embed_tokens,lm_head]"), model_folder=untied
    )
    whole, resumed = trainer(other, plan, tmp_path / "a"), trainer(other, plan, tmp_path / "b")
    whole.run()
    resumed.run(tmp_path / "a" / "checkpoints" / "checkpoint-2")
    again = trainable_parameters(resumed.model)
    assert any("lora_embedding_B" in name for name in again)
    assert all(torch.equal(p, again[n]) for n, p in trainable_parameters(whole.model).items())
    (tmp_path / "adapter").mkdir()
    save_adapter(whole.model, tmp_path / "adapter", "base")
    base = load_base(untied, other.recipe.model, plan)
    plain = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    ids = torch.tensor([stage.prepared.train[0].input_ids])
    with torch.no_grad():
        assert torch.equal(plain(input_ids=ids).logits, whole.model.eval()(input_ids=ids).logits)
