"""Runs that train the whole model, or new tokens, from the recipe to what is shared."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

import nybble
from nybble.export.card import write_card
from nybble.export.published import check_published, list_files, stage_run
from nybble.export.push import what_to_push
from nybble.generation.sampling import Sampling
from nybble.pipeline.compare import Wanted, compare_models
from nybble.pipeline.contenders import read_named
from nybble.pipeline.inference import find_subject, load_speaker
from nybble.pipeline.merge import merge_run
from nybble.pipeline.run import resume
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

pytestmark = pytest.mark.slow
SHORT = ["train.max_steps=4", "train.save_steps=2", "train.eval_steps=0", "train.batch_size=4",
         "train.learning_rate=1e-3", "data.limit=90", "data.validation=10", "data.test=20",
         "evaluate.size=6", "evaluate.few_shot=0"]  # fmt: skip
WEIGHTS = "model.safetensors"


def rows_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> RunFolder:
    overrides = [*SHORT, "lora=null", "model.quantization=none"]
    folder = tmp_path_factory.mktemp("whole") / "run"
    return RunFolder(nybble.run("price-demo", output=folder, overrides=overrides))


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> RunFolder:
    """A run whose rows hold tokens that are new."""
    home = tmp_path_factory.mktemp("taught")
    rows = [{"prompt": f"item {i}<|costs|>", "completion": f"{7 * i}"} for i in range(40)]
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    overrides = [*SHORT, f"data.train={home / 'rows.jsonl'}", "data.prompt={prompt}",
                 "data.completion={completion}", "evaluate.floor=null", "evaluate.size=0",
                 "data.test_completion=null", "model.new_tokens=[<|costs|>]"]  # fmt: skip
    return RunFolder(nybble.run("price-demo", output=home / "run", overrides=overrides))


def test_a_whole_model_is_judged_against_its_base_and_answers(whole) -> None:
    assert whole.model.is_dir() and not whole.adapter.exists()
    prompts = [row["prompt"] for row in rows_of(whole.evaluation / "baseline.jsonl")]
    for name, base in (("baseline", True), ("tuned", False)):
        speaker = load_speaker(find_subject(str(whole.path), base=base))
        asked = speaker.renderer.prompt_ids(prompts)
        recipe = load_recipe(str(whole.recipe))
        said = speaker.answers(asked, Sampling(max_new_tokens=recipe.evaluate.max_new_tokens))
        judged = [row["answer"] for row in rows_of(whole.evaluation / f"{name}.jsonl")]
        assert len(judged) == 6
        if recipe.evaluate.decode == "greedy":
            assert said == judged
    assert speaker.answers(asked[:1], Sampling(max_new_tokens=4), tuned=False) != []


def test_a_whole_model_resumes_to_the_same_bytes(whole, tmp_path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(whole.path, copy)
    shutil.rmtree(copy / "model")
    shutil.rmtree(copy / "evaluation")
    recipe = load_recipe(str(whole.recipe), ["evaluate.size=0"])
    resume(RunFolder(copy), recipe)
    assert (copy / "model" / WEIGHTS).read_bytes() == (whole.model / WEIGHTS).read_bytes()
    other = load_recipe(str(whole.recipe), ["lora={}"])
    shutil.rmtree(copy / "model")
    with pytest.raises(InputError, match="none, the whole model then, lora now"):
        resume(RunFolder(copy), other)


def test_a_whole_model_is_shared_as_one(whole, tmp_path) -> None:
    recipe = load_recipe(str(whole.recipe))
    assert what_to_push(whole, merged=False) == (whole.model, None)
    card = write_card(whole, recipe, "me/x")
    assert "Every weight of bundled:mini, in fp32" in card.replace("\\", "")
    assert "PeftModel" not in card and "library_name: transformers" in card
    save = whole.checkpoints / "checkpoint-2"
    stage_run(whole, recipe, "me/x", tmp_path, save)
    list_files(tmp_path)
    assert f"checkpoints/checkpoint-2/{WEIGHTS}" in check_published(tmp_path / "nybble", "me/x")
    assert (tmp_path / WEIGHTS).read_bytes() == (save / WEIGHTS).read_bytes()
    assert not (tmp_path / "optimizer.safetensors").exists()
    with pytest.raises(InputError, match="no adapter to merge"):
        merge_run(whole, recipe, tmp_path / "merged", "float32")
    with pytest.raises(InputError, match="trained whole, without adapters"):
        find_subject(str(whole.path), adapter="me/adapter")


def test_new_tokens_are_read_as_one_and_kept_by_a_merge(taught, tmp_path) -> None:
    recipe = load_recipe(str(taught.recipe))
    shown = json.loads((taught.path / "data" / "preview.json").read_text())
    assert "<|costs|>" in json.dumps(shown)
    report = merge_run(taught, recipe, tmp_path / "merged", "float32", 10)
    assert report["faithful"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    ids = tokenizer("item 3<|costs|>", return_tensors="pt")
    assert ids.input_ids[0, -1] == 2048
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    speaker = load_speaker(find_subject(str(taught.path)))
    with torch.no_grad():
        assert torch.allclose(merged(**ids).logits, speaker.model(**ids).logits, atol=1e-3)


def test_the_card_of_new_tokens_loads_them_in_plain_peft(taught) -> None:
    recipe = load_recipe(str(taught.recipe))
    card = write_card(taught, recipe, str(taught.adapter))
    assert "new tokens: <|costs|>" in card.replace("\\", "").replace("&lt;", "<").replace(
        "&gt;", ">"
    )
    code = card.split("```python")[1].split("```")[0].split("prompt =")[0]
    found: dict = {}
    exec(code.replace('device_map="auto"', 'device_map="cpu"'), found)
    assert isinstance(found["model"], PeftModel)
    ids = found["tokenizer"]("item 3<|costs|>", return_tensors="pt")
    speaker = load_speaker(find_subject(str(taught.path)))
    with torch.no_grad():
        assert torch.allclose(
            found["model"](**ids).logits.float(), speaker.model(**ids).logits, atol=1e-3
        )


def test_a_whole_model_is_compared_as_one_of_its_own(whole) -> None:
    ours, rows = read_named([str(whole.path), "bundled:mini"], None)
    tuned, base = ours
    assert tuned.model_folder == whole.model.absolute() and tuned.adapter_folder is None
    assert tuned.run == whole and base.run is None
    assert rows.lora is None


def test_a_base_is_asked_in_the_tokens_that_it_has(taught, tmp_path) -> None:
    rows = load_recipe(str(taught.recipe), ["evaluate.size=6", "evaluate.truth=null"])
    models = [str(taught.path), "bundled:mini"]
    found, folder = compare_models(Wanted(models, data=rows, output=tmp_path / "out"))
    assert found["n"] == 6
    texts = json.loads((folder / "predictions.json").read_text())["text"]
    assert all("<|costs|>" in text for text in texts)


def test_a_whole_model_whose_rows_changed_is_refused(whole, tmp_path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(whole.path, copy)
    environment = json.loads((copy / "environment.json").read_text()) | {"data": "0" * 64}
    (copy / "environment.json").write_text(json.dumps(environment))
    with pytest.raises(InputError, match="training rows changed"):
        compare_models(Wanted([str(copy), "bundled:mini"], output=tmp_path / "out"))
