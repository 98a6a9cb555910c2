"""`nybble verify`."""

import json
from typing import Annotated

import typer

from nybble.cli.arguments import AsJson
from nybble.cli.completion import models
from nybble.report.ticks import print_verdict
from nybble.runs.errors import EXIT_FAILED


def verify(
    name: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A folder, a Hub repository, or bundled:mini.",
            autocompletion=models,
        ),
    ],
    revision: Annotated[
        str, typer.Option("--revision", help="Branch, tag or commit of a Hub repository.")
    ] = "main",
    as_json: AsJson = False,
) -> None:
    """Check every file that a model or an adapter needs; exit code 1 when it is not whole.

    Of a Hub repository, the copy in the cache is looked at; nothing is downloaded.

    Example: nybble verify ./my-model
    """
    from nybble.sources.verify import verify as verify_files

    verdict = verify_files(name, revision)
    if as_json:
        print(json.dumps(verdict.as_json(), indent=2))
    else:
        print_verdict(verdict.as_json())
    if not verdict.whole:
        raise typer.Exit(EXIT_FAILED)
