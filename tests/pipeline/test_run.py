import json
import math
import shutil
from pathlib import Path

import pytest
import torch
import yaml

import nybble
from nybble.pipeline.run import evaluate_run, resume
from nybble.recipe import dump_recipe, load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder, create_run_folder
from nybble.runs.lock import locked

from .conftest import STEPS

pytestmark = pytest.mark.slow
FILES = {
    "report.html",
    "recipe.yaml", "environment.json", "plan.json", "metrics.jsonl", "data/audit.json",
    "data/preview.json", "adapter/adapter_config.json", "adapter/adapter_model.safetensors",
    "adapter/tokenizer.json", "adapter/tokenizer_config.json", "evaluation/comparison.json",
    "evaluation/predictions.json", "evaluation/baseline.jsonl", "evaluation/tuned.jsonl",
    "evaluation/zero_shot.jsonl", "evaluation/test_reads.json",
    "checkpoints/checkpoint-3/adapter_model.safetensors",
    "checkpoints/checkpoint-3/optimizer.safetensors",
    "checkpoints/checkpoint-3/trainer_state.json",
}  # fmt: skip


def recipe_of(folder: Path, *overrides: str):
    return load_recipe(str(folder / "recipe.yaml"), list(overrides))


def test_the_run_folder_is_complete_and_holds_nothing_half_written(finished: Path) -> None:
    there = {str(p.relative_to(finished)) for p in finished.rglob("*") if p.is_file()}
    assert there >= FILES
    assert not [name for name in there if "partial" in name]
    assert not [p for p in finished.parent.iterdir() if p != finished]


def test_the_recipe_is_written_resolved(finished: Path) -> None:
    fields = yaml.safe_load((finished / "recipe.yaml").read_text())
    assert fields["train"]["max_steps"] == 6
    assert fields["train"]["weight_decay"] == 0.0


def test_the_comparison_has_the_designs_form(comparison: dict) -> None:
    interval = {"value", "low", "high"}
    assert comparison["task"] == "number" and comparison["metric"] == "mae"
    assert comparison["n"] == 60
    for key in ("baseline", "tuned", "difference"):
        assert comparison[key].keys() == interval
        assert all(math.isfinite(v) for v in comparison[key].values())
    assert {"constant", "ridge", "ridge (log)", "noise floor"} <= comparison["references"].keys()
    for reference in comparison["references"].values():
        assert reference.keys() == interval | {"difference"}
    assert comparison["parse_rate"].keys() == {"baseline", "tuned"}
    assert comparison["test_reads"] == 1


def test_predictions_give_the_comparisons_numbers(finished: Path, comparison: dict) -> None:
    table = json.loads((finished / "evaluation" / "predictions.json").read_text())
    tuned = table["values"]["tuned model"]
    errors = [abs(a - b) for a, b in zip(tuned, table["truth"], strict=True)]
    assert sum(errors) / len(errors) == pytest.approx(comparison["tuned"]["value"])
    lines = (finished / "evaluation" / "tuned.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == table["row"]


def test_test_rows_are_in_no_other_part(finished: Path) -> None:
    audit = json.loads((finished / "data" / "audit.json").read_text())
    assert audit["rows"] == {"train": 590, "validation": 50, "test": 60}


def test_the_adapter_loads_in_plain_peft_with_the_same_logits(finished: Path, stage, plan) -> None:
    from peft import AutoPeftModelForCausalLM, PeftModel
    from transformers import AutoModelForCausalLM

    from nybble.pipeline.train import load_model

    ours = load_model(stage, plan, finished / "adapter").eval()
    config = json.loads((finished / "adapter" / "adapter_config.json").read_text())
    assert Path(config["base_model_name_or_path"]).is_dir()
    ids = torch.tensor([stage.prepared.train[0].input_ids])
    plain = load_model(stage, plan, None).unload()
    theirs = PeftModel.from_pretrained(plain, finished / "adapter").eval()
    with torch.no_grad():
        assert torch.equal(ours(input_ids=ids).logits, theirs(input_ids=ids).logits)
        changed = ours(input_ids=ids).logits
        with ours.disable_adapter():
            assert not torch.equal(ours(input_ids=ids).logits, changed)
    unquantised = AutoPeftModelForCausalLM.from_pretrained(finished / "adapter")
    assert isinstance(unquantised, PeftModel)
    assert isinstance(unquantised.get_base_model(), type(AutoModelForCausalLM.from_pretrained(
        config["base_model_name_or_path"])))  # fmt: skip


def test_an_interrupted_run_resumes_to_the_same_adapter(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "interrupted"
    shutil.copytree(finished, copy)
    shutil.rmtree(copy / "adapter")
    shutil.rmtree(copy / "evaluation")
    resume(RunFolder(copy), recipe_of(copy))
    name = "adapter/adapter_model.safetensors"
    assert (copy / name).read_bytes() == (finished / name).read_bytes()
    answers = "evaluation/tuned.jsonl"
    assert (copy / answers).read_text() == (finished / answers).read_text()


def test_a_run_stopped_before_its_evaluation_goes_on_with_it(
    finished: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "trained"
    shutil.copytree(finished, copy)
    shutil.rmtree(copy / "evaluation")
    resume(RunFolder(copy), recipe_of(copy))
    found = json.loads((copy / "evaluation" / "comparison.json").read_text())
    again = json.loads((finished / "evaluation" / "comparison.json").read_text())
    assert found["tuned"] == again["tuned"]


def test_a_finished_run_and_one_without_checkpoint_are_not_resumed(
    finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="is finished"):
        resume(RunFolder(finished), recipe_of(finished))
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(finished / "recipe.yaml", bare)
    with pytest.raises(InputError, match="no checkpoint"):
        resume(RunFolder(bare), recipe_of(bare))


def test_every_further_look_at_the_test_rows_is_counted(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "again"
    shutil.copytree(finished, copy)
    found = evaluate_run(RunFolder(copy), recipe_of(copy, "evaluate.decode=greedy"))
    assert found["test_reads"] == 2


def test_seeds_train_other_adapters_on_the_same_split(tmp_path: Path) -> None:
    folder = nybble.run("price-demo", output=tmp_path / "seeds", overrides=STEPS, seeds=2)
    found = json.loads((folder / "evaluation" / "seeds.json").read_text())
    assert found["n"] == 2 and set(found["by_seed"]) == {"42", "43"}
    assert len(set(found["by_seed"].values())) == 2

    def rows(path: str) -> list[int]:
        lines = (folder / path / "evaluation" / "tuned.jsonl").read_text().splitlines()
        return [json.loads(line)["row"] for line in lines]

    assert rows(".") == rows("seeds/seed-43")


def test_training_goes_on_from_an_existing_adapter(finished: Path, tmp_path: Path) -> None:
    more = [*STEPS, f"model.adapter={finished / 'adapter'}", "evaluate.size=0"]
    folder = nybble.run("price-demo", output=tmp_path / "more", overrides=more)
    losses = [
        [json.loads(line).get("loss") for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (finished, folder)
    ]
    assert losses[1][0] < losses[0][0]
    assert not (folder / "evaluation").exists()


def test_a_failure_before_the_first_checkpoint_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nybble.pipeline.work.train", stopped)
    with pytest.raises(KeyboardInterrupt):
        nybble.run("price-demo", output=tmp_path / "run", overrides=STEPS)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_exists_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        nybble.run("price-demo", output=tmp_path, overrides=STEPS)
    with pytest.raises(InputError, match="not the folder of a run"):
        nybble.run("price-demo", output=tmp_path, overrides=STEPS, replace=True)
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_a_run_of_own_rows_can_be_judged_again_from_another_folder(
    tmp_path: Path, monkeypatch, stage
) -> None:
    """Numbers in a CSV file are texts; a model in a folder called like a repository is local."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    (here / "owner").mkdir(parents=True)
    elsewhere.mkdir()
    shutil.copytree(stage.model_folder, here / "owner" / "model")
    lines = [f"Lamp number {n},{n % 90}.40" for n in range(120)]
    (here / "rows.csv").write_text("title,price\n" + "\n".join(lines) + "\n")
    (here / "mine.yaml").write_text(
        "name: mine\nmodel: {base: owner/model}\ndata: {train: rows.csv, validation: 20, test: 30, "
        "prompt: title, completion: '{price:.0f}'}\ntrain: {max_steps: 2}\n"
        "evaluate: {task: number, decode: median}\n"
    )
    monkeypatch.chdir(here)
    nybble.run("mine.yaml", output="run")
    monkeypatch.chdir(elsewhere)
    moved = here / "run"
    evaluate_run(RunFolder(moved), recipe_of(moved, "evaluate.size=10"))
    assert json.loads((moved / "evaluation" / "comparison.json").read_text())["n"] == 10

    with (here / "rows.csv").open("a") as file:
        file.write("Another lamp,5\n")
    with pytest.raises(InputError, match="training rows changed"):
        evaluate_run(RunFolder(moved), recipe_of(moved))


def test_a_run_that_another_process_works_in_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run"
    create_run_folder("x", path, False, dump_recipe(load_recipe("price-demo")))
    with locked(path):
        for work in (resume, evaluate_run):
            with pytest.raises(InputError, match="Another process is at work"):
                work(RunFolder(path), recipe_of(path))
        with pytest.raises(InputError, match="Another process is at work"):
            nybble.run("price-demo", path, STEPS, replace=True)
    assert (path / "recipe.yaml").is_file()


def test_a_median_is_read_whatever_the_answer_is_extracted_by(finished: Path, tmp_path) -> None:
    copy = tmp_path / "again"
    shutil.copytree(finished, copy)
    expression = r"evaluate.extract=costs \$(\d+)"
    found = evaluate_run(RunFolder(copy), recipe_of(copy, expression, "evaluate.size=20"))
    before = [json.loads(line) for line in (finished / "evaluation" / "tuned.jsonl").open()][:20]
    after = [json.loads(line) for line in (copy / "evaluation" / "tuned.jsonl").open()]
    assert [row["value"] for row in after] == [row["value"] for row in before]
    assert found["parse_rate"]["tuned"] > 0


def test_an_interrupted_run_of_several_seeds_goes_on_with_them(tmp_path: Path, monkeypatch) -> None:
    import nybble.pipeline.work as work

    train, started = work.train, []

    def stopped_at_the_second(stage, *rest):
        started.append(stage.recipe.train.seed)
        if len(started) == 2:
            raise KeyboardInterrupt
        return train(stage, *rest)

    monkeypatch.setattr(work, "train", stopped_at_the_second)
    path = tmp_path / "seeds"
    with pytest.raises(KeyboardInterrupt, match="nybble resume"):
        nybble.run("price-demo", output=path, overrides=STEPS, seeds=3)
    resume(RunFolder(path), recipe_of(path))
    assert started == [42, 43, 43, 44]
    found = json.loads((path / "evaluation" / "seeds.json").read_text())
    assert list(found["by_seed"]) == ["42", "43", "44"]
    with pytest.raises(InputError, match="is finished"):
        resume(RunFolder(path), recipe_of(path))


def test_a_run_goes_on_with_the_micro_batches_that_it_began_with(
    finished: Path, tmp_path: Path, stage
) -> None:
    from nybble.pipeline.work import plan_as_begun, plan_here

    folder = RunFolder(tmp_path)
    here = plan_here(stage)
    if here.device != "cpu":
        pytest.skip("on a GPU the free memory decides anew")
    folder.write("plan.json", here.as_json() | {"micro_batch_tokens": 77, "lean_layers": 1})
    begun = plan_as_begun(stage, folder)
    assert (begun.micro_batch_tokens, begun.lean_layers) == (77, 1)
    folder.write("plan.json", here.as_json() | {"micro_batch_tokens": 77, "device_name": "other"})
    assert plan_as_begun(stage, folder) == here


def test_a_column_that_is_not_there_is_told_before_anything_is_trained(tmp_path: Path) -> None:
    for field in ("truth", "floor"):
        with pytest.raises(InputError, match="no column 'cost'"):
            nybble.run("price-demo", tmp_path / "run", [*STEPS, f"evaluate.{field}=cost"])
    assert list(tmp_path.iterdir()) == []
