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


__all__ = ["run"]
