"""`nybble run`."""

from nybble.cli.arguments import Output, Overrides, RecipeName, Replace, Seeds
from nybble.recipe import load_recipe
from nybble.runs.folder import check_output


def run(
    recipe: RecipeName,
    overrides: Overrides = None,
    output: Output = None,
    replace: Replace = False,
    seeds: Seeds = 1,
) -> None:
    """Train a recipe and judge the result: rows in, verdict out.

    Example: nybble run price-demo lora.r=32 --output runs/wide
    """
    checked = load_recipe(recipe, overrides)
    check_output(output, replace)
    from nybble.pipeline.run import run as run_recipe

    run_recipe(checked, output, replace, seeds)
