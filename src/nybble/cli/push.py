"""`nybble push`."""

from typing import Annotated

import typer

from nybble.cli.arguments import RunPath
from nybble.recipe import load_recipe
from nybble.runs.folder import open_run_folder


def push(
    run: RunPath,
    to: Annotated[str, typer.Option("--to", metavar="OWNER/NAME", help="Repository on the Hub.")],
    merged: Annotated[
        bool, typer.Option("--merged", help="The model in RUN/merged, not the adapter.")
    ] = False,
    private: Annotated[bool, typer.Option("--private/--public", help="Who sees it.")] = True,
    revision: Annotated[str, typer.Option(help="Branch to push to; made when new.")] = "main",
) -> None:
    """Upload a run's adapter to the Hugging Face Hub, with a model card; private unless --public.

    Example: nybble push runs/demo --to me/price-demo
    """
    folder = open_run_folder(run)
    recipe = load_recipe(str(folder.recipe.absolute()))
    from nybble.export.push import push as push_run

    print(push_run(folder, recipe, to, merged, private, revision))
