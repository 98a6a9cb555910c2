"""`nybble fetch`."""

from nybble.cli.arguments import Overrides, RecipeName
from nybble.recipe import load_recipe


def fetch(recipe: RecipeName, overrides: Overrides = None) -> None:
    """Download the model and the data that a recipe names, and check the model's files.

    Example: nybble fetch price-demo model.base=meta-llama/Llama-3.2-1B
    """
    checked = load_recipe(recipe, overrides)
    from nybble.sources import fetch as fetch_sources

    for what, where in fetch_sources(checked):
        print(f"{what}  {where}")
