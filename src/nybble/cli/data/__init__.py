"""`nybble data`: one file per verb."""

import typer

from nybble.cli.data.prepare import prepare
from nybble.cli.data.push import push
from nybble.cli.data.show import show
from nybble.cli.data.stats import stats

app = typer.Typer(no_args_is_help=True, help="Look at and prepare the rows of a recipe.")
for verb in (stats, show, prepare, push):
    app.command()(verb)


@app.callback()
def _data() -> None:
    """Look at and prepare the rows of a recipe."""
