"""`nybble inspect`."""

import json
from typing import Annotated

import typer

from nybble.cli.arguments import AsJson, Overrides
from nybble.cli.completion import recipes_and_models
from nybble.report.tree import print_inspection


def inspect(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RECIPE",
            help="A folder, a Hub repository, bundled:mini, or a recipe's name or file.",
            autocompletion=recipes_and_models,
        ),
    ],
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's modules, bytes and adapter sizes, from its config alone.

    Example: nybble inspect price-demo lora.r=64
    """
    from nybble.planner.inspection import inspect as inspect_model

    inspection = inspect_model(target, overrides or [])
    if as_json:
        print(json.dumps(inspection, indent=2))
    else:
        print_inspection(inspection)
