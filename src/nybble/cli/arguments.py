"""Arguments that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

RecipeName = Annotated[str, typer.Argument(help="A built-in recipe's name, or a YAML file.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Fields, such as lora.r=64.")
]
Output = Annotated[
    Path | None, typer.Option("--output", help="The run's folder [default: runs/NAME-TIME].")
]
Replace = Annotated[bool, typer.Option("--replace", help="Overwrite an earlier run there.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=99, help="Train with so many seeds.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
