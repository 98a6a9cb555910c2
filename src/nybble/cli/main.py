"""The `nybble` command and its verbs."""

import logging
import os
import warnings

import typer

from nybble.cli import (
    chat,
    compare,
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
from nybble.cli.two_lines import DEBUG, TwoLineErrors


def quiet_libraries() -> None:
    """What libraries print of themselves is noise here."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    # Blocks of many sizes then share memory: an H200 took 3.8 GB where it had taken 4.3.
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module="torch|peft|transformers")


app = typer.Typer(
    cls=TwoLineErrors,
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
app.command()(compare.compare)
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
