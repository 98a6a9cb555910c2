from nybble.recipe import Recipe
from nybble.recipe.references import map_references


def test_every_reference_is_changed_and_nothing_else():
    recipe = Recipe.model_validate({
        "name": "x",
        "model": {"base": "a", "adapter": "b"},
        "data": {"train": "c", "validation": "d", "test": 7},
    })  # fmt: skip
    changed = map_references(recipe, str.upper)
    assert (changed.model.base, changed.model.adapter) == ("A", "B")
    assert (changed.data.train, changed.data.validation, changed.data.test) == ("C", "D", 7)
    assert map_references(changed, str.lower) == recipe
    several = {"train": [{"source": "c", "weight": 1.0}, {"source": "e", "weight": 2.0}]}
    mixed = Recipe.model_validate({"name": "x", "model": {"base": "a"}, "data": several})
    assert map_references(mixed, str.upper).data.train_sources == ["C", "E"]
    plain = recipe.model_copy(update={"model": recipe.model.model_copy(update={"adapter": None})})
    assert map_references(plain, str.upper).model.adapter is None
