"""Arguments that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

from nybble.cli.completion import fields, recipe_names, run_folders

RecipeName = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A built-in recipe's name, or a YAML file.",
        autocompletion=recipe_names,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...", help="Fields, such as lora.r=64.", autocompletion=fields
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", help="The run's folder [default: runs/NAME-TIME].")
]
Replace = Annotated[bool, typer.Option("--replace", help="Overwrite an earlier run there.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=99, help="Train with so many seeds.")]
RunPath = Annotated[
    Path, typer.Argument(metavar="RUN", help="The folder of a run.", autocompletion=run_folders)
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
