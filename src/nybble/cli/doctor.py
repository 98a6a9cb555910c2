"""`nybble doctor`."""

import json
from typing import Annotated

import typer

from nybble.cli.arguments import AsJson
from nybble.report.ticks import print_health
from nybble.runs.errors import EXIT_FAILED


def doctor(
    online: Annotated[
        bool, typer.Option("--online", help="Ask the Hub what the token may do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check this machine: each line ok, or with the one thing to do.

    The exit code is 1 when something stops training.

    Example: nybble doctor --json
    """
    from nybble.model.health import examine

    health = examine(online)
    if as_json:
        print(json.dumps(health.as_json(), indent=2))
    else:
        print_health(health.as_json())
    if not health.ready:
        raise typer.Exit(EXIT_FAILED)
