"""`nybble resume`."""

from nybble.cli.arguments import RunPath
from nybble.recipe import load_recipe
from nybble.runs.folder import open_run_folder


def resume(run: RunPath) -> None:
    """Go on with a run that was interrupted, from its newest checkpoint.

    Example: nybble resume runs/price-demo-20261122-101500
    """
    folder = open_run_folder(run)
    recipe = load_recipe(str(folder.recipe.absolute()))
    from nybble.pipeline.run import resume as resume_run

    resume_run(folder, recipe)
