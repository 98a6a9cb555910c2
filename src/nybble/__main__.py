"""`python -m nybble`."""

from nybble.cli.main import app

app()
