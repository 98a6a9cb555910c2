"""Every journey's recipe, for two steps on a tiny model of its family and rows of its format."""

import json
from pathlib import Path

import pytest

import nybble
from nybble.recipe import load_recipe
from nybble.sources import load_rows

pytestmark = pytest.mark.slow
NAMES = ("mbpp-coder", "python-style", "finetome-chat", "llama-kaggle", "price-lite", "price-full")


@pytest.fixture(scope="module")
def run(stand_in_model, stand_in_rows, tmp_path_factory):
    """A function from a journey's name to the folder of its short run."""
    done: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in done:
            folder = tmp_path_factory.mktemp("runs") / name
            model = [f"model.base={stand_in_model(name)}", "train.max_steps=2"]
            done[name] = nybble.run(name, folder, model + stand_in_rows(name))
        return done[name]

    return get


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_two_steps_give_an_adapter_of_the_recipes_shape(run, name):
    folder, part = run(name), load_recipe(name).lora
    steps = [line for line in lines(folder / "metrics.jsonl") if "loss" in line]
    assert [line["step"] for line in steps] == [1, 2]
    assert all(line["scored_tokens"] > 0 and line["grad_norm"] > 0 for line in steps)
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (part.r, part.lora_alpha)
    assert config["lora_dropout"] == part.lora_dropout
    targets = {module.rpartition(".")[2] for module in config["target_modules"]}
    assert len(targets) == (4 if part.target_modules == "attention" else 7)
    assert (folder / "report.html").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_only_answers_are_scored(run, name):
    rows = json.loads((run(name) / "data" / "preview.json").read_text())
    for row in rows:
        scored = "".join(
            token for token, said in zip(row["tokens"], row["scored"], strict=True) if said
        )
        prompt = "".join(
            token for token, said in zip(row["tokens"], row["scored"], strict=True) if not said
        )
        assert prompt
        assert scored
        if name in ("python-style", "llama-kaggle"):
            assert scored.startswith("```python\n")
        if name.startswith("price"):
            assert prompt.endswith("Price is $")
            assert scored.split("<")[0].endswith(".00")
        if name == "mbpp-coder":
            assert prompt.startswith("Task: ")
            assert prompt.endswith("\nSolution:\n")


@pytest.mark.parametrize("name", ["price-lite", "price-full"])
def test_prices_are_judged_against_the_exact_ones(run, stand_in_rows, name):
    comparison = json.loads((run(name) / "evaluation" / "comparison.json").read_text())
    assert (comparison["task"], comparison["metric"], comparison["n"]) == ("number", "mae", 3)
    (test,) = [o for o in stand_in_rows(name) if o.startswith("data.test=")]
    exact = [float(row["completion"]) for row in lines(Path(test.removeprefix("data.test=")))]
    assert [row["truth"] for row in lines(run(name) / "evaluation" / "tuned.jsonl")] == exact
    assert any(price != round(price) for price in exact)


def test_llama_kaggle_saves_after_each_epoch():
    from nybble.data.batches import StepLoader
    from nybble.data.packing import Layout
    from nybble.data.render import TokenRow
    from nybble.training.optimizer import steps_of, total_steps

    recipe = load_recipe("llama-kaggle")
    taken = int(recipe.data.validation) + int(recipe.data.test)
    rows = len(load_rows(recipe.data.train, "main", None)) - taken
    one = TokenRow(1, [1, 2], [True, True], (1,))
    total = total_steps(
        recipe.train, StepLoader([one] * rows, recipe.train.batch_size, 0, Layout(64))
    )
    assert (rows, total) == (100, 39)
    assert steps_of(recipe.train.save_steps, total) * 3 == total
