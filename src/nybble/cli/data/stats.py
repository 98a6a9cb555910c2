"""`nybble data stats`."""

import json
from typing import Annotated

import typer

from nybble.cli.arguments import AsJson, Overrides, RecipeName
from nybble.recipe import load_recipe


def stats(
    recipe: RecipeName,
    overrides: Overrides = None,
    field: Annotated[
        str | None,
        typer.Option("--field", help="Also measure this column [default: data.truncate.field]."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how long the training rows are, and what each cut-off would cost.

    Example: nybble data stats price-demo --field text
    """
    checked = load_recipe(recipe, overrides)
    from nybble.pipeline.look import measure
    from nybble.report.lengths import print_lengths

    measured = measure(checked, field, progress=not as_json)
    if as_json:
        print(json.dumps(measured, indent=2))
    else:
        print_lengths(measured)
