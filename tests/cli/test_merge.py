"""What `merge` and `push` refuse, and what they say of themselves; without torch."""

import json

import pytest

from nybble.recipe import dump_recipe, load_recipe


@pytest.fixture
def run(work):
    (work / "run").mkdir()
    (work / "run" / "recipe.yaml").write_text(dump_recipe(load_recipe("price-demo", [])))
    return "run"


@pytest.mark.parametrize("verb", [("merge",), ("push", "--to", "me/x")])
def test_a_folder_that_is_no_run(refused, verb):
    assert "nowhere is not the folder of a run" in refused(*verb, "nowhere").message


@pytest.mark.parametrize("verb", [("merge",), ("push", "--to", "me/x")])
def test_a_run_without_an_adapter(refused, run, verb):
    assert "is not trained yet" in refused(*verb, run).message


def test_an_output_that_exists(refused, run, work):
    (work / "taken").mkdir()
    told = refused("merge", run, "--output", "taken")
    assert "taken exists already" in told.message and "--replace" not in told.fix


def test_a_dtype_that_there_is_not(nybble, run):
    result = nybble("merge", run, "--dtype", "int8")
    assert result.exit_code == 2 and "int8" in result.stderr


def test_a_merged_model_that_is_not_there(refused, run):
    told = refused("push", run, "--to", "me/x", "--merged")
    assert "no merged model" in told.message and "nybble merge run" in told.fix


def test_what_is_no_repositorys_name(refused, run):
    assert "'price'" in refused("push", run, "--to", "price").message


@pytest.mark.parametrize("verb", ["merge", "push"])
def test_the_help_has_an_example(nybble, verb):
    result = nybble(verb, "--help")
    assert result.exit_code == 0 and f"nybble {verb} runs/demo" in result.stdout


@pytest.mark.slow
def test_merge_prints_its_report_as_json(nybble, work):
    import nybble as package

    steps = ["train.max_steps=2", "data.limit=300", "data.validation=20", "data.test=20",
             "evaluate.size=0"]  # fmt: skip
    package.run("price-demo", output=work / "run", overrides=steps)
    result = nybble("merge", "run", "--output", "out", "--dtype", "float32", "--json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report == json.loads((work / "out" / "merge.json").read_text())
    assert report["texts_equal"] == report["n"] == 40
