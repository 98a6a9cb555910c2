"""A recipe that changed between training and evaluation."""

import shutil
from pathlib import Path

import pytest

from nybble.pipeline.run import resume
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("override", "told"), [("lora.r=4", "lora.r"), ("train.learning_rate=0.5", "learning_rate")]
)
def test_what_is_trained_is_not_judged_as_what_another_recipe_says(
    finished: Path, tmp_path: Path, override: str, told: str
) -> None:
    copy = tmp_path / "trained"
    shutil.copytree(finished, copy)
    shutil.rmtree(copy / "evaluation")
    changed = load_recipe(str(copy / "recipe.yaml"), [override])
    with pytest.raises(InputError, match=f"the recipe changed since: .*{told}"):
        resume(RunFolder(copy), changed)
    assert not (copy / "evaluation" / "comparison.json").exists()
