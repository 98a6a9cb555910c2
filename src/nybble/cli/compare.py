"""`nybble compare`."""

import json
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from nybble.cli.arguments import AsJson
from nybble.cli.completion import recipe_names, runs_and_models
from nybble.recipe import load_recipe


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Runs, models, adapter:NAME, openai:MODEL@URL, reference:NAME, people:FILE; each "
            "under another name as NAME=MODEL.",
            autocompletion=runs_and_models,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="RECIPE",
            help="Whose test rows; by default the first run's.",
            autocompletion=recipe_names,
        ),
    ] = None,
    rows: Annotated[
        int | None, typer.Option("--rows", min=2, help="So many test rows, the first ones.")
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", metavar="COLUMN", help="Also by the values of a column."),
    ] = None,
    few_shot: Annotated[
        int | None,
        typer.Option(
            "--few-shot", min=0, max=64, help="Examples that models without an adapter are shown."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="A new folder [default: runs/compare-TIME].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs, adapters, models, references and people on the same test rows, paired.

    Example: nybble compare runs/demo bundled:mini reference:ridge --rows 200
    """
    recipe = load_recipe(data) if data else None
    from nybble.pipeline.compare import Wanted, compare_models
    from nybble.report.page import write_comparison_report

    wanted = Wanted(models, recipe, rows, tuple(slices or ()), few_shot, output)
    # JSON alone goes to the output; the table and the bars are for who watches.
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        found, folder = compare_models(wanted)
        print(f"report     {write_comparison_report(folder)}")
    if as_json:
        print(json.dumps(found))
