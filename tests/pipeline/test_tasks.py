"""Runs of every task on the bundled model, each a few steps long."""

import json
import shutil
from pathlib import Path

import pytest

import nybble
from nybble.pipeline.run import evaluate_run
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

pytestmark = pytest.mark.slow
KINDS = ("lamp", "tent", "chair")
CODE = ["data.limit=90", "data.validation=10", "data.test=6", "train.max_steps=1",
        "evaluate.size=4", "evaluate.max_new_tokens=24", "evaluate.few_shot=1"]  # fmt: skip


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> str:
    """A recipe of rows whose answer is a kind of item, which its prompt names."""
    folder = tmp_path_factory.mktemp("kinds")
    rows = [
        {"prompt": f"A {kind}, number {i}. Kind:", "completion": f" {kind}", "kind": kind,
         "shelf": "ab"[i % 2]}
        for i in range(90) for kind in [KINDS[i * 7 % 3]]
    ]  # fmt: skip
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "score.py").write_text(
        "def length(answer, truth, row):\n    return abs(len(answer) - len(row['kind']))\n"
    )
    (folder / "kinds.yaml").write_text(
        "name: kinds\nmodel: {base: 'bundled:mini'}\n"
        f"data: {{train: '{folder / 'rows.jsonl'}', validation: 20, test: 24}}\n"
        "train: {max_steps: 6, batch_size: 12, learning_rate: 3.0e-3, eval_steps: 3}\n"
        "evaluate: {task: label, slices: [shelf], max_new_tokens: 4, few_shot: 2}\n"
    )
    return str(folder / "kinds.yaml")


@pytest.fixture(scope="module")
def labelled(recipe, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("labelled") / "run"
    return nybble.run(recipe, folder, ["evaluate.during_training=8"])


def again(run: Path, *overrides: str) -> dict:
    return evaluate_run(RunFolder(run), load_recipe(str(run / "recipe.yaml"), list(overrides)))


def answers(run: Path, name: str = "tuned") -> list[str]:
    lines = (run / "evaluation" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line)["answer"] for line in lines]


def test_labels_are_judged_against_references_and_by_slices(labelled) -> None:
    found = RunFolder(labelled).read("evaluation/comparison.json")
    assert (found["task"], found["metric"], found["n"]) == ("label", "accuracy", 24)
    assert found["tuned"]["value"] > 0.9 > found["references"]["constant"]["value"]
    assert found["references"]["ridge classifier"]["value"] == 1.0
    assert {"shelf", "true label"} <= {part["by"] for part in found["slices"]}
    predictions = RunFolder(labelled).read("evaluation/predictions.json")
    assert predictions["columns"].keys() == {"shelf"}
    assert set(predictions["values"]["constant"]) < set(KINDS)


def test_validation_rows_are_judged_while_training_and_change_nothing(
    labelled, recipe, tmp_path
) -> None:
    lines = [json.loads(line) for line in (labelled / "metrics.jsonl").read_text().splitlines()]
    measured = [line for line in lines if "validation_accuracy" in line]
    assert [line["step"] for line in measured] == [3, 6]
    assert measured[-1]["validation_accuracy"] > measured[0]["validation_parse_rate"] - 1
    without = nybble.run(recipe, tmp_path / "run", ["evaluate.size=0"])
    name = "adapter/adapter_model.safetensors"
    assert (without / name).read_bytes() == (labelled / name).read_bytes()


def test_labels_can_be_chosen_by_likelihood(labelled) -> None:
    found = again(labelled, "evaluate.choice=likelihood")
    assert found["parse_rate"] == {"baseline": 1.0, "tuned": 1.0}
    assert set(answers(labelled)) <= set(KINDS)
    assert found["tuned"]["value"] > 0.9


def test_labels_of_the_recipe_are_those_that_can_be_chosen(labelled) -> None:
    wider = "evaluate.labels=[lamp,tent,chair,spoon]"
    again(labelled, "evaluate.choice=likelihood", wider)
    with pytest.raises(InputError, match="is none of the 2 labels"):
        again(labelled, "evaluate.labels=[lamp,spoon]")


def test_texts_by_every_metric(labelled) -> None:
    values = set()
    for metric in ("chrf", "rouge_l", "exact_match"):
        found = again(labelled, "evaluate.task=text", f"evaluate.metric={metric}")
        assert (found["task"], found["metric"]) == ("text", metric)
        assert found["references"].keys() == {"zero-shot base", "constant", "nearest row"}
        values.add(found["baseline"]["value"])
    assert len(values) > 1


def test_losses_are_those_of_the_training(labelled) -> None:
    """On the validation rows as test rows, the loss is the one that the training measured."""
    lines = [json.loads(line) for line in (labelled / "metrics.jsonl").read_text().splitlines()]
    measured = [line["validation_loss"] for line in lines if "validation_loss" in line][-1]
    from nybble.pipeline.examiner import Examiner
    from nybble.pipeline.stage import make_stage
    from nybble.pipeline.train import load_model
    from nybble.pipeline.work import plan_here

    stage = make_stage(load_recipe(str(labelled / "recipe.yaml"), ["evaluate.task=loss"]))
    plan = plan_here(stage)
    model = load_model(stage, plan, labelled / "adapter")
    examiner = Examiner(stage, plan, stage.prepared.splits.validation)
    judged = examiner.judge(examiner.ask_quietly(model))
    assert examiner.task.metrics(judged)["loss"] == pytest.approx(measured, rel=1e-4)
    found = again(labelled, "evaluate.task=loss")
    assert found["baseline_name"] == "zero-shot base" and found["references"] == {}
    assert found["difference"]["high"] < 0


def test_a_metric_of_ones_own(labelled, recipe) -> None:
    own = f"evaluate.metric={Path(recipe).parent / 'score.py'}:length"
    found = again(labelled, "evaluate.task=text", own, "evaluate.greater_is_better=false")
    assert (found["metric"], found["higher_is_better"]) == ("length", False)
    assert found["tuned"]["value"] == pytest.approx(1.0)
    with pytest.raises(InputError, match="has no function other"):
        again(labelled, "evaluate.task=text", own.replace("length", "other"))


def test_temperature_and_stop_texts_reach_the_answers(labelled) -> None:
    again(labelled, "evaluate.task=text")
    greedy = answers(labelled)
    again(labelled, "evaluate.task=text", "evaluate.temperature=5")
    assert answers(labelled) != greedy
    again(labelled, "evaluate.task=text", "evaluate.stop=[a]")
    assert answers(labelled) == [text.partition("a")[0] for text in greedy]


def test_an_interrupted_evaluation_goes_on(labelled, monkeypatch) -> None:
    from nybble.pipeline import evaluate as step

    (labelled / "evaluation" / "answers.jsonl").unlink()
    asked: list[int] = []
    generate = step.Examiner._write

    def interrupted(self, model, prompts, cache, on_answer):
        def counted(place, text):
            asked.append(place)
            if len(asked) == 30:
                raise KeyboardInterrupt
            on_answer(place, text)

        generate(self, model, prompts, cache, counted)

    monkeypatch.setattr(step.Examiner, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again(labelled)
    monkeypatch.undo()
    kept = len((labelled / "evaluation" / "answers.jsonl").read_text().splitlines())
    assert kept >= 30
    found = again(labelled)
    assert len((labelled / "evaluation" / "answers.jsonl").read_text().splitlines()) == 3 * 24
    assert found["n"] == 24


def test_programs_are_run_and_several_samples_give_pass_at_k(tmp_path: Path) -> None:
    run = nybble.run("code-demo", tmp_path / "run", CODE)
    found = RunFolder(run).read("evaluation/comparison.json")
    assert (found["task"], found["metric"], found["n"]) == ("code", "pass@1", 4)
    assert found["protection"]
    several = ["evaluate.samples=2", "evaluate.temperature=1", "evaluate.metric=pass@2"]
    found = again(run, *several)
    assert found["metric"] == "pass@2"
    lines = (run / "evaluation" / "tuned.jsonl").read_text().splitlines()
    assert {json.loads(line)["detail"]["samples"] for line in lines} == {2}


def test_seeds_speak_for_the_recipe_by_the_tasks_own_metric(recipe, tmp_path: Path) -> None:
    run = nybble.run(recipe, tmp_path / "run", ["train.max_steps=2", "evaluate.size=12"], seeds=2)
    found = RunFolder(run).read("evaluation/seeds.json")
    assert found["metric"] == "accuracy" and set(found["by_seed"]) == {"42", "43"}
    assert "the recipe's models get" in found["verdict"]
    fewer = again(run, "evaluate.size=8")
    found = RunFolder(run).read("evaluation/seeds.json")
    assert fewer["n"] == len(
        RunFolder(run / "seeds/seed-43").read("evaluation/scores.json")["sums"]
    )
    assert found["by_seed"]["42"] == fewer["tuned"]["value"]
    shutil.rmtree(run / "seeds/seed-43/adapter")
    with pytest.raises(InputError, match="seed-43 is not trained yet"):
        again(run)
