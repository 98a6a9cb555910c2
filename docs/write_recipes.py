"""Writes docs/recipes.md from the schema: every field, its default, what it takes and means.

    python docs/write_recipes.py

A test fails when the page and the schema differ.
"""

import datetime
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nybble.recipe.row_parts import RowRange, Truncation
from nybble.recipe.schema import Recipe, sections
from nybble.recipe.train_source import TrainSource

PAGE = Path(__file__).with_name("recipes.md")
HEAD = """\
# Every field of a recipe

A recipe is a YAML file. Only `name`, `model.base` and `data.train` have no default, and a key that
is not listed here is refused. Any field can be overridden on the command line, as in:

```
nybble run price-demo lora.r=32 train.max_steps=100
```

`nybble recipes` lists the built-in recipes, and `nybble recipes NAME` prints one to begin from. The
names are those of PEFT's `LoraConfig` and of transformers' `TrainingArguments`, with one
difference: `batch_size` is the number of rows per optimiser step. How many are computed at once
follows from the memory and changes nothing about what is learnt.

This page is written by `docs/write_recipes.py`.
"""
COLUMNS = "| field | default | takes | meaning |\n|---|---|---|---|\n"
BOUNDS = {"ge": "at least {}", "gt": "over {}", "le": "at most {}", "lt": "under {}"}


def page() -> str:
    """The whole page."""
    parts = sections()
    plain = {name: field for name, field in Recipe.model_fields.items() if name not in parts}
    text = HEAD + "\n" + COLUMNS + "".join(row(name, field) for name, field in plain.items())
    for name, part in parts.items():
        rows = "".join(row(f"{name}.{key}", field) for key, field in part.model_fields.items())
        text += f"\n## {name}\n\n{first_paragraph(part)}\n\n{COLUMNS}{rows}"
    return text


def row(name: str, field: FieldInfo) -> str:
    default = "(required)" if field.is_required() else f"`{written(field.default)}`"
    meaning = (field.description or "").replace("|", "\\|")
    return f"| `{name}` | {default} | {takes(field)} | {meaning} |\n"


def takes(field: FieldInfo) -> str:
    """The kinds of values that `field` accepts, and their bounds."""
    bounds = [
        text.format(written(getattr(limit, key)))
        for limit in field.metadata
        for key, text in BOUNDS.items()
        if getattr(limit, key, None) is not None
    ]
    return ", ".join([" or ".join(kinds(field.annotation)), *bounds])


def kinds(annotation: Any) -> list[str]:
    """What an annotation admits, in words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return [f"`{value}`" for value in arguments]
    if origin in (typing.Union, types.UnionType):
        return [kind for argument in arguments for kind in kinds(argument)]
    if origin is list:
        return ["a list" if arguments[0] is str else " ".join(["a list of", *kinds(arguments[0])])]
    if origin is dict:
        return ["a mapping of names"]
    if origin is typing.Annotated:
        return kinds(arguments[0])
    names = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "`true` or `false`",
        datetime.date: "a date such as `2026-11-22`",
        RowRange: "`{column, first, last}`",
        Truncation: "`{field, max_tokens}`",
        TrainSource: "`{source, weight, format, columns, prompt, completion, test_completion}`",
    }
    return ["`null`" if annotation is type(None) else names[annotation]]


def written(value: Any) -> str:
    """`value` as YAML has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, dict) and not value:
        return "{}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def first_paragraph(part: type[BaseModel]) -> str:
    return " ".join((part.__doc__ or "").split("\n\n")[0].split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
