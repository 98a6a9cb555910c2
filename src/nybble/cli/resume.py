"""`nybble resume`."""

from nybble.cli.arguments import RunPath
from nybble.recipe import load_recipe


def resume(run: RunPath) -> None:
    """Go on with a run that was interrupted, from its newest checkpoint.

    hub:OWNER/NAME is a run that was published: it is fetched into a new folder, then gone on with.

    Example: nybble resume runs/price-demo-20261122-101500
    """
    from nybble.pipeline.from_hub import run_here

    folder = run_here(run)
    recipe = load_recipe(str(folder.recipe.absolute()))
    from nybble.pipeline.run import resume as resume_run

    resume_run(folder, recipe)
