"""How errors reach a person: two lines and an exit code; `--debug` shows the traceback."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from nybble.runs.errors import (
    EXIT_INTERRUPTED,
    InputError,
    NybbleError,
    disk_error,
    memory_error,
)
from nybble.runs.secrets import masked

DEBUG = "--debug"

# Typer brings its own copy of click since 0.26 and names the class nowhere else.
_UsageError: Any = typer.BadParameter.__base__


class TwoLineErrors(TyperGroup):
    """A command whose expected errors are two lines on stderr, those of its own usage included."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> Any:
        given = list(sys.argv[1:] if args is None else args)
        # Taken out here, so that it may also stand after the verb.
        debug = DEBUG in given
        try:
            return super().main([arg for arg in given if arg != DEBUG], *rest, **kwargs)
        except NybbleError as error:
            if debug:
                raise
            _stop(error)
        except Exception as error:
            known = disk_error(error) or memory_error(error)
            if known is None or debug:
                raise
            _stop(known)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        try:
            with _usage_errors():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            print(f"\nInterrupted. {interrupt}".rstrip(), file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None


@contextmanager
def _usage_errors() -> Iterator[None]:
    """An unknown verb or option, or an argument that is missing, as an `InputError`."""
    try:
        yield
    except _UsageError as error:
        # No arguments at all: typer has shown the help.
        if type(error).__name__ == "NoArgsIsHelpError":
            raise
        command = error.ctx.command_path if error.ctx else "nybble"
        message = error.format_message().replace("Value error, ", "")
        end = "" if message.endswith((".", "?")) else "."
        fix = f"`{command} --help` shows what it takes."
        raise InputError(message + end, fix) from None


def _stop(error: NybbleError) -> NoReturn:
    print(masked(f"{error.message}\n{error.fix}"), file=sys.stderr)
    sys.exit(error.exit_code)
