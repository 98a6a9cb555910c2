"""The fields of a recipe that name a model, an adapter, rows or a metric of one's own."""

from collections.abc import Callable

from nybble.recipe.evaluate_part import OWN_METRIC
from nybble.recipe.schema import Recipe

REFERENCES = {
    "model": ("base", "adapter"),
    "data": ("train", "validation", "test"),
}


def map_references(recipe: Recipe, change: Callable[[str], str]) -> Recipe:
    """`recipe` with each of them replaced by what `change` makes of it.

    What is left out, or a number of rows, stays as it is.
    """
    fields = recipe.model_dump()
    for section, names in REFERENCES.items():
        for name in names:
            value = fields[section][name]
            if isinstance(value, str):
                fields[section][name] = change(value)
            elif isinstance(value, list):
                for part in value:
                    part["source"] = change(part["source"])
    metric = OWN_METRIC.fullmatch(fields["evaluate"]["metric"] or "")
    if metric:
        fields["evaluate"]["metric"] = f"{change(metric['path'])}:{metric['function']}"
    return Recipe.model_validate(fields)
