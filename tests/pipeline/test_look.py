"""Cuts reach training and inference alike, and what is looked at is what is trained on."""

import pytest

from nybble.data.truncate import cut_examples
from nybble.pipeline.look import measure, show
from nybble.pipeline.questions import prompts
from nybble.pipeline.stage import make_stage
from nybble.recipe import load_recipe

pytestmark = pytest.mark.slow
SMALL = ["data.limit=60", "data.validation=5", "data.test=10", "evaluate.size=10"]


@pytest.mark.parametrize(
    "override", ["data.max_prompt_length=20", "data.truncate={field: text, max_tokens: 9}"]
)
def test_a_question_is_cut_as_it_was_in_training(override):
    recipe = load_recipe("price-demo", [*SMALL, override])
    whole, cut = (make_stage(r) for r in (load_recipe("price-demo", SMALL), recipe))
    assert sum(cut.prepared.splits.cut.values()) > 50
    # As `generate` does: the row as it comes, cut on the way to the model.
    train = whole.prepared.splits.train
    asked = prompts(cut_examples(train, recipe.data, cut.renderer), cut.renderer, ())
    for row, prompt in zip(cut.prepared.train, asked, strict=True):
        assert row.input_ids[: row.prompt_lengths[-1]] == prompt
    most = max(len(prompt) for prompt in prompts(cut.prepared.splits.test, cut.renderer, ()))
    assert most < max(len(prompt) for prompt in prompts(train, whole.renderer, ()))


def test_rows_are_shown_as_they_are_trained_on():
    recipe = load_recipe("price-demo", SMALL)
    assert show(recipe, 4) == make_stage(recipe).preview(4)


def test_a_column_is_measured_whole_whatever_is_cut():
    cut = load_recipe("price-demo", [*SMALL, "data.truncate={field: text, max_tokens: 9}"])
    found = measure(cut, None, progress=False)
    plain = measure(load_recipe("price-demo", SMALL), "text", progress=False)
    assert found["field"] == plain["field"]
    assert found["rows"] == plain["rows"]
