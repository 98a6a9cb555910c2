"""docs/recipes.md says what the schema says."""

import runpy
from pathlib import Path

import pytest

from nybble.recipe import Recipe
from nybble.recipe.schema import sections

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "recipes.md").read_text(encoding="utf-8")
ROWS = {
    line.split("`")[1]: [cell.strip() for cell in line.replace("\\|", " ").split("|")[2:5]]
    for line in PAGE.splitlines()
    if line.startswith("| `")
}
KEYS = [name for name in Recipe.model_fields if name not in sections()]
KEYS += [f"{name}.{key}" for name, part in sections().items() for key in part.model_fields]


def test_the_page_is_what_the_schema_gives():
    script = runpy.run_path(str(DOCS / "write_recipes.py"))
    assert script["page"]() == PAGE, "run python docs/write_recipes.py"


def test_every_field_and_no_other_has_a_row():
    assert list(ROWS) == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_every_field_says_what_it_takes_and_means(key):
    default, takes, meaning = ROWS[key]
    assert default
    assert takes
    assert meaning


@pytest.mark.parametrize(
    ("key", "default", "takes"),
    [
        ("model.base", "(required)", "a text"),
        ("lora.r", "`16`", "a whole number, at least 1, at most 1024"),
        ("train.learning_rate", "`0.0002`", "a number, over 0, under 1"),
        ("train.warmup_steps", "`0.03`", "a number, at least 0"),
        ("model.trust_remote_code", "`false`", "`true` or `false`"),
        ("evaluate.task", "`null`", "`number` or `code` or `label` or `text` or `loss` or `null`"),
    ],
)
def test_some_rows_read_as_a_person_would_write_them(key, default, takes):
    assert ROWS[key][:2] == [default, takes]
