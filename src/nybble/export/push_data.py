"""Uploading a recipe's examples, split, as a data set to the Hugging Face Hub.

One Parquet file a part. Pairs are columns `prompt` and `completion`, conversations `messages` (and
`tools` as JSON), texts `text`: what the recipe's templates made of the rows, so that the data set
is read without them. Beside them stands the row's number in its source.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from nybble.data.corpus import read_splits
from nybble.data.examples import Conversation, Example, Text
from nybble.data.split import Splits
from nybble.export.card import escaped
from nybble.export.push import check_name, upload_folder
from nybble.recipe import Recipe
from nybble.runs.atomic import write_text
from nybble.runs.errors import InputError
from nybble.sources import parse_reference

BATCH_ROWS = 1000
MESSAGE = ("role", "content", "name", "tool_call_id", "reasoning_content", "tool_calls")


def push_data(recipe: Recipe, to: str, private: bool, revision: str) -> str:
    """Upload the parts of `recipe` that hold rows to the data set `to`; gives its address.

    Nothing is tokenised: rows are those of the split, before any is dropped for its length. Raises
    `InputError` as `push` does, and when the parts hold examples of several kinds.
    """
    check_name(to)
    splits = read_splits(recipe)
    with tempfile.TemporaryDirectory(prefix="nybble-push-") as name:
        write_dataset(splits, recipe, to, Path(name))
        return upload_folder(Path(name), to, "dataset", private, revision, f"Rows of {recipe.name}")


def write_dataset(splits: Splits, recipe: Recipe, to: str, folder: Path) -> None:
    """Write data/PART.parquet and the card into `folder`."""
    import pyarrow
    import pyarrow.parquet

    kind = type(splits.train[0])
    (folder / "data").mkdir()
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    for name, examples in parts.items():
        if not examples:
            continue
        schema = _schema(kind)
        with pyarrow.parquet.ParquetWriter(folder / "data" / f"{name}.parquet", schema) as writer:
            for rows in _batches(examples, kind):
                writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
    write_text(folder / "README.md", _card(splits, recipe, to, [n for n in parts if parts[n]]))


def _schema(kind: type[Example]) -> Any:
    import pyarrow

    text = pyarrow.string()
    if issubclass(kind, Conversation):
        # Calls are JSON: as columns, every call would get the arguments of all others as nulls.
        message = pyarrow.struct([(name, text) for name in MESSAGE])
        columns = [("messages", pyarrow.list_(message)), ("tools", text)]
    elif issubclass(kind, Text):
        columns = [("text", text)]
    else:
        columns = [("prompt", text), ("completion", text)]
    return pyarrow.schema([*columns, ("source_row", pyarrow.int64())])


def _batches(examples: Sequence[Example], kind: type[Example]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(examples), BATCH_ROWS):
        batch = examples[start : start + BATCH_ROWS]
        if any(type(example) is not kind for example in batch):
            raise InputError(
                "data.train holds examples of several kinds, which one table does not.",
                "Push the sources of the mixture one by one.",
            )
        yield [_row(example) | {"source_row": example.number} for example in batch]


def _row(example: Example) -> dict[str, Any]:
    if isinstance(example, Conversation):
        tools = json.dumps(example.tools, ensure_ascii=False) if example.tools else None
        return {"messages": [_message(m) for m in example.messages], "tools": tools}
    if isinstance(example, Text):
        return {"text": example.completion}
    return {"prompt": example.prompt, "completion": example.completion}


def _message(message: dict[str, Any]) -> dict[str, Any]:
    for name, value in message.items():
        if name not in MESSAGE or not (isinstance(value, str) or name == "tool_calls"):
            raise InputError(
                f"A message has a field {name!r}, which the data set would not hold.",
                f"It holds texts in {', '.join(MESSAGE)}: remove the field, or rename it.",
            )
    calls = message.get("tool_calls")
    return message | {"tool_calls": json.dumps(calls, ensure_ascii=False) if calls else None}


def _card(splits: Splits, recipe: Recipe, to: str, parts: list[str]) -> str:
    files = [{"split": part, "path": f"data/{part}.parquet"} for part in parts]
    front = {"configs": [{"config_name": "default", "data_files": files}], "tags": ["nybble"]}
    counts = ", ".join(f"{len(getattr(splits, part)):,} to {part}" for part in parts)
    named = map(parse_reference, recipe.data.train_sources)
    sources = [Path(r.name).name if r.kind == "path" else r.name for r in named]
    return (
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n\n# {escaped(to)}\n\n"
        f"Rows of {escaped(', '.join(sources))}, as the recipe {escaped(recipe.name)} reads and "
        f"splits them (seed {recipe.data.seed}): {counts}.\n"
    )
