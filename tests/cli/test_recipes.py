import pytest

from nybble.recipe import catalogue_names, load_recipe
from nybble.recipe.load import parse_recipe


def test_recipes_are_listed_with_their_summaries(nybble):
    lines = nybble("recipes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == catalogue_names()
    for line, name in zip(lines, catalogue_names(), strict=True):
        assert line.endswith(load_recipe(name).summary)


@pytest.mark.parametrize("name", catalogue_names())
def test_a_printed_recipe_is_that_recipe(nybble, name):
    result = nybble("recipes", name)
    assert result.exit_code == 0
    assert parse_recipe(result.stdout, "s", []) == load_recipe(name)


def test_a_printed_recipe_can_be_saved_and_used(nybble, refused, work):
    (work / "mine.yaml").write_text(nybble("recipes", "price-demo").stdout)
    assert "mine.yaml: lora.r = 0" in refused("run", "mine.yaml", "lora.r=0").message


def test_an_unknown_recipe_is_refused(refused):
    assert "Did you mean price-demo?" in refused("recipes", "price-dem").fix
