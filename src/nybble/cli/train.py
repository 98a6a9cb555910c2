"""`nybble train`."""

from nybble.cli.arguments import Output, Overrides, RecipeName, Replace, Seeds
from nybble.recipe import load_recipe
from nybble.runs.folder import check_output


def train(
    recipe: RecipeName,
    overrides: Overrides = None,
    output: Output = None,
    replace: Replace = False,
    seeds: Seeds = 1,
) -> None:
    """Train a recipe without judging the result: `run` with evaluate.size=0.

    Example: nybble train price-demo train.max_steps=100
    """
    checked = load_recipe(recipe, [*(overrides or []), "evaluate.size=0"])
    check_output(output, replace)
    from nybble.pipeline.run import run as run_recipe

    run_recipe(checked, output, replace, seeds)
