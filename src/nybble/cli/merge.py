"""`nybble merge`."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Literal

import typer

from nybble.cli.arguments import RunPath
from nybble.recipe import load_recipe
from nybble.runs.folder import check_new, open_run_folder


def merge(
    run: RunPath,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder to write; RUN/merged if not given.")
    ] = None,
    dtype: Annotated[
        Literal["bfloat16", "float16", "float32"], typer.Option(help="What weights are stored in.")
    ] = "bfloat16",
    as_json: Annotated[bool, typer.Option("--json", help="Print merge.json only.")] = False,
) -> None:
    """Make one plain model of a run's base and adapter, and check that both say the same.

    Example: nybble merge runs/demo --output merged --dtype float32
    """
    folder = open_run_folder(run)
    target = output or run / "merged"
    check_new(target)
    recipe = load_recipe(str(folder.recipe.absolute()))
    from nybble.pipeline.merge import merge_lines, merge_run

    # Progress is for a person: with --json, standard output holds nothing else.
    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        report = merge_run(folder, recipe, target, dtype)
    print(json.dumps(report, indent=2) if as_json else "\n".join(merge_lines(report)))
    if not as_json:
        print(f"model      {target}")
