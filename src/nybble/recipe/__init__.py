"""Recipes: the schema, loading with overrides, and the built-in catalogue."""

from nybble.recipe.load import catalogue_names, catalogue_text, dump_recipe, load_recipe
from nybble.recipe.schema import Recipe

__all__ = ["Recipe", "catalogue_names", "catalogue_text", "dump_recipe", "load_recipe"]
