"""`nybble evaluate`."""

from typing import Annotated

import typer

from nybble.cli.arguments import RunPath
from nybble.cli.completion import evaluate_fields
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import open_run_folder


def evaluate(
    run: RunPath,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Fields, such as evaluate.size=200.",
            autocompletion=evaluate_fields,
        ),
    ] = None,
) -> None:
    """Judge the adapter of an earlier run again, with other settings of `evaluate` if you like.

    Its comparison and report take the place of those that were there; answers are kept.

    Example: nybble evaluate runs/demo evaluate.size=200 evaluate.decode=greedy
    """
    folder = open_run_folder(run)
    for override in overrides or []:
        if not override.startswith("evaluate."):
            raise InputError(
                f"{override!r} would change what was trained.",
                "Only fields of `evaluate` can be given here, such as evaluate.size=200.",
            )
    recipe = load_recipe(str(folder.recipe.absolute()), overrides)
    from nybble.pipeline.run import evaluate_run

    evaluate_run(folder, recipe)
