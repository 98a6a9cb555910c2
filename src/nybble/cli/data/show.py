"""`nybble data show`."""

import json
from typing import Annotated

import typer

from nybble.cli.arguments import AsJson, Overrides, RecipeName
from nybble.recipe import load_recipe

KEYS = ("input_ids", "scored", "tokens", "source_row")


def show(
    recipe: RecipeName,
    overrides: Overrides = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=10_000, help="How many rows.")] = 3,
    ids: Annotated[bool, typer.Option("--ids", help="A line for each token, with its id.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show rows token by token: what the model is trained to say, and what it only reads.

    Example: nybble data show price-demo --rows 3
    """
    checked = load_recipe(recipe, overrides)
    from nybble.pipeline.look import show as look
    from nybble.report.tokens import print_rows

    found = look(checked, rows)
    if as_json:
        print(json.dumps([{key: row[key] for key in KEYS} for row in found]))
    else:
        print_rows(found, ids)
