"""`nybble data prepare`."""

from pathlib import Path
from typing import Annotated

import typer

from nybble.cli.arguments import Overrides, RecipeName
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import check_not_below_file


def prepare(
    recipe: RecipeName,
    overrides: Overrides = None,
    output: Annotated[Path, typer.Option("--output", help="Folder to write.")] = Path("prepared"),
) -> None:
    """Write a recipe's rows as token ids with the scored mask, and the counts of the audit.

    Example: nybble data prepare price-demo --output prepared
    """
    checked = load_recipe(recipe, overrides)
    if output.exists():
        raise InputError(f"The output folder {output} exists already.", "Choose another.")
    check_not_below_file(output)
    from nybble.data.leakage import repeats_line
    from nybble.data.prepare import write_prepared
    from nybble.data.truncate import cut_line
    from nybble.pipeline.stage import make_stage

    prepared = make_stage(checked).prepared
    write_prepared(prepared, output)
    audit = prepared.audit()
    rows = ", ".join(f"{n:,} {part}" for part, n in audit["rows"].items())
    print(f"{rows} rows in {output}")
    for line in (repeats_line(audit["repeats"]), cut_line(audit["cut_rows"])):
        if line:
            print(line)
