"""The `nybble` command: verbs, and how errors reach a person."""

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from nybble.cli import (
    chat,
    data,
    doctor,
    evaluate,
    fetch,
    generate,
    inspect,
    merge,
    push,
    recipes,
    report,
    resume,
    run,
    train,
    verify,
)
from nybble.runs.errors import EXIT_FAILED, EXIT_INTERRUPTED, NybbleError, disk_error
from nybble.runs.secrets import masked

DEBUG = "--debug"


class _TwoLineErrors(TyperGroup):
    """Turns every expected error into two lines and an exit code; `--debug` shows the traceback."""

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
            known = disk_error(error)
            if known is None or debug:
                raise
            _stop(known)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            print(f"\nInterrupted. {interrupt}".rstrip(), file=sys.stderr)
            raise typer.Exit(EXIT_INTERRUPTED) from None


def _stop(error: NybbleError) -> None:
    print(masked(f"{error.message}\n{error.fix}"), file=sys.stderr)
    sys.exit(error.exit_code or EXIT_FAILED)


def quiet_libraries() -> None:
    """What libraries print of themselves is noise here."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module="torch|peft|transformers")


app = typer.Typer(
    cls=_TwoLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Fine-tune a language model in four bits on the GPU you have, and know whether it got "
    "better.\n\nFor example: nybble run price-demo",
)


@app.callback()
def _options(
    debug: bool = typer.Option(False, DEBUG, help="Show the traceback of an error."),
) -> None:
    quiet_libraries()


app.command()(run.run)
app.command()(train.train)
app.command()(resume.resume)
app.command()(evaluate.evaluate)
app.command()(report.report)
app.command()(generate.generate)
app.command()(chat.chat)
app.command()(merge.merge)
app.command()(push.push)
app.command()(fetch.fetch)
app.command()(verify.verify)
app.command()(inspect.inspect)
app.add_typer(data.app, name="data")
app.command()(recipes.recipes)
app.command()(doctor.doctor)
