"""Nybble: fine-tune a language model in four bits, and know whether it got better.

import nybble
folder = nybble.run("price-demo", output="runs/demo", overrides=["train.max_steps=100"])
"""

import os
from pathlib import Path

# Nothing is reported home, whichever library talks to the Hub, and from wherever Nybble is used.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"


def run(
    recipe: str,
    output: str | Path | None = None,
    overrides: list[str] | None = None,
    replace: bool = False,
    seeds: int = 1,
) -> Path:
    """Run a recipe (a built-in name or a YAML file) and give the run's folder.

    Raises `nybble.runs.errors.InputError` when something that was asked for is wrong, and
    `NybbleError` when the work fails.
    """
    # torch, transformers and bitsandbytes take seconds to import: only when there is work for them.
    from nybble.recipe import load_recipe

    checked = load_recipe(recipe, overrides)
    from nybble.pipeline.run import run as run_recipe

    return run_recipe(checked, Path(output) if output else None, replace, seeds).path


def compare(
    models: list[str],
    data: str | None = None,
    rows: int | None = None,
    slices: list[str] | None = None,
    few_shot: int | None = None,
    output: str | Path | None = None,
) -> Path:
    """Compare models on the same test rows, named as for `nybble compare`, and give the folder with
    comparison.json, predictions.json and report.html.

    `data` is a recipe whose test rows are taken, by default the first run's. Raises as `run`.
    """
    from nybble.recipe import load_recipe

    recipe = load_recipe(data) if data else None
    from nybble.pipeline.compare import Wanted, compare_models
    from nybble.report.page import write_comparison_report

    place = Path(output) if output else None
    wanted = Wanted(models, recipe, rows, tuple(slices or ()), few_shot, place)
    folder = compare_models(wanted)[1]
    write_comparison_report(folder)
    return folder


__all__ = ["compare", "run"]
