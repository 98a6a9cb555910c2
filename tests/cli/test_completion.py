import os
import subprocess
import sys

import pytest

from nybble.cli import completion
from nybble.recipe import catalogue_names, dump_recipe, load_recipe


@pytest.fixture
def run(work):
    """The folder of a run, beside one that is none."""
    (work / "runs" / "demo").mkdir(parents=True)
    (work / "runs" / "other").mkdir()
    (work / "runs" / "demo" / "recipe.yaml").write_text(dump_recipe(load_recipe("price-demo")))


def test_recipes_by_name_and_by_file(work):
    (work / "mine.yaml").write_text("")
    (work / "price.txt").write_text("")
    assert completion.recipe_names("") == [*catalogue_names(), "mine.yaml"]
    assert completion.recipe_names("price-d") == ["price-demo"]
    (work / "more").mkdir()
    (work / "more" / "one.yml").write_text("")
    assert completion.recipe_names("more/") == ["more/one.yml"]
    assert completion.recipe_names("nowhere/o") == []


def test_fields_with_their_meaning_and_their_default():
    assert dict(completion.fields("lora.r"))["lora.r="].endswith("[16]")
    assert [name for name, _ in completion.fields("evaluate.green")] == [
        "evaluate.green_within=",
        "evaluate.green_share=",
    ]
    assert completion.fields("lora.x") == []


def test_evaluate_is_offered_its_own_fields_only():
    names = [name for name, _ in completion.evaluate_fields("")]
    assert "evaluate.size=" in names and all(name.startswith("evaluate.") for name in names)


def test_values_where_a_field_has_only_some():
    said = [value for value, _ in completion.fields("model.quantization=")]
    assert {"model.quantization=nf4", "model.quantization=none"} <= set(said)
    assert [v for v, _ in completion.fields("model.trust_remote_code=t")] == [
        "model.trust_remote_code=true"
    ]
    assert ("lora.target_modules=attention", "") in completion.fields("lora.target_modules=a")
    assert completion.fields("lora.r=") == completion.fields("nothing=") == []


def test_runs_and_models(run, work, model):
    assert completion.run_folders("") == completion.run_folders("runs/d") == ["runs/demo"]
    assert completion.models("bun") == ["bundled:mini"]
    model()
    assert completion.models("mod") == ["model"]
    assert completion.runs_and_models("") == ["runs/demo", "bundled:mini", "model"]
    assert completion.recipes_and_models("price-d") == ["price-demo"]


def test_absolute_and_hidden_paths(work, run):
    whole = str(work / "runs" / "demo")
    assert completion.run_folders(whole[:-1]) == [whole]
    (work / ".hidden.yaml").write_text("")
    assert ".hidden.yaml" not in completion.recipe_names("")
    assert completion.recipe_names(".h") == [".hidden.yaml"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("nybble run price-d", "price-demo"),
        ("nybble run price-demo lora.lora_a", "lora.lora_alpha="),
        pytest.param("nybble report runs/", "runs/demo", marks=pytest.mark.slow),
        pytest.param("nybble verify b", "bundled:mini", marks=pytest.mark.slow),
        pytest.param("nybble gen", "generate", marks=pytest.mark.slow),
        pytest.param(
            "nybble evaluate runs/demo evaluate.siz", "evaluate.size=", marks=pytest.mark.slow
        ),
    ],
)
def test_the_shell_is_offered_it(run, words, offered):
    environment = {
        **os.environ,
        "_NYBBLE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    code = "import sys; sys.argv[0] = 'nybble'; from nybble.cli.main import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [offered], done.stderr
