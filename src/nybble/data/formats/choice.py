"""Which format a source has: the declared one, or the one that its first row fits."""

from collections.abc import Collection

from nybble.data.formats.alpaca import Alpaca
from nybble.data.formats.base import Format, Row
from nybble.data.formats.messages import Messages
from nybble.data.formats.prompt_completion import PromptCompletion
from nybble.data.formats.sharegpt import COLUMN, ShareGpt
from nybble.data.formats.text import TextFormat
from nybble.data.template import parse_template
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError

# What of a row's columns tells its format; the first that fits counts. A column `text` beside
# others may be anything: MBPP's is the task, and its answer is `code`.
_SIGNS = (
    ("messages", {"messages"}),
    ("sharegpt", {COLUMN}),
    ("prompt-completion", {"prompt", "completion"}),
    ("alpaca", {"instruction", "output"}),
)


def choose_format(first: Row, part: DataPart, source: str) -> Format:
    """The format of the rows that begin with `first`.

    Raises `InputError` when none is declared and none fits, and when `data.columns` maps a column
    that the format does not have.
    """
    chosen = make_format(_name(first, part, source), part)
    strange = [name for name in part.columns if name not in chosen.columns]
    if strange:
        raise InputError(
            f"{source}: data.columns maps {strange[0]!r}, a column that this format does not have.",
            f"It has {', '.join(chosen.columns)}.",
        )
    return chosen


def make_format(name: str, part: DataPart) -> Format:
    """The format called `name`, with the templates of `part`."""
    if name == "text":
        return TextFormat(parse_template(part.completion or "text", "data.completion"))
    if name == "prompt-completion":
        return PromptCompletion(
            parse_template(part.prompt or "prompt", "data.prompt"),
            parse_template(part.completion or "completion", "data.completion"),
        )
    return Alpaca() if name == "alpaca" else ShareGpt() if name == "sharegpt" else Messages()


def _name(first: Row, part: DataPart, source: str) -> str:
    if part.format != "auto":
        return part.format
    if part.prompt or part.completion:
        return "prompt-completion"
    # A table's first row has every column: the ones that hold something are asked first.
    filled = [name for name, value in first.items() if value is not None]
    found = _sign(filled) or _sign(list(first))
    if found is None:
        raise InputError(
            f"{source}: no format fits its columns {', '.join(first)}.",
            "Say data.prompt and data.completion (columns, or templates such as 'Task: {text}').",
        )
    return found


def _sign(columns: Collection[str]) -> str | None:
    fits = (name for name, signs in _SIGNS if signs <= set(columns))
    return next(fits, "text" if list(columns) == ["text"] else None)
