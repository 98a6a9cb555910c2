"""`nybble data push`."""

from typing import Annotated

import typer

from nybble.cli.arguments import Overrides, RecipeName
from nybble.recipe import load_recipe


def push(
    recipe: RecipeName,
    to: Annotated[str, typer.Option("--to", metavar="OWNER/NAME", help="Data set on the Hub.")],
    overrides: Overrides = None,
    private: Annotated[bool, typer.Option("--private/--public", help="Who sees it.")] = True,
    revision: Annotated[str, typer.Option(help="Branch to push to; made when new.")] = "main",
) -> None:
    """Upload a recipe's rows, split, to the Hugging Face Hub as prompt and completion columns.

    Example: nybble data push price-demo --to me/prices
    """
    checked = load_recipe(recipe, overrides)
    from nybble.export.push_data import push_data

    print(push_data(checked, to, private, revision))
