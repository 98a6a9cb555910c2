"""Measures the tables of docs/data.md: five real files, prepared whole.

    python docs/write_data_tables.py FOLDER

FOLDER holds data/ and models/ with the files and the tokenizer that the page names. The tables
stand between two marks in the page; the rest of it is written by hand.
"""

import sys
from pathlib import Path
from typing import Any

from nybble.data.corpus import read_splits
from nybble.data.prepare import prepare
from nybble.data.render import Renderer
from nybble.data.tokenizer import load_tokenizer
from nybble.recipe import Recipe

PAGE = Path(__file__).with_name("data.md")
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"
TOKENIZER = "qwen2.5-0.5b-instruct"
# What of each file is trained on.
FILES: dict[str, dict[str, Any]] = {
    "mbpp/mbpp.jsonl": {"prompt": "Task: {text}\nSolution:\n", "completion": "{code}"},
    "chat/oasst_en_paths_messages.jsonl": {},
    "chat/glaive_toolcall_en_demo.json": {},
    "instruct/instruction-data.json": {},
    "price/products.jsonl": {"prompt": "{title}\nPrice is $", "completion": "{price:.0f}.00"},
}
HEAD = (
    "| file | format | rows read | token rows | dropped | why | tokens | scored | longest |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)


def table(folder: Path) -> str:
    """The rows of all files, as they come out of `prepare`."""
    renderer = Renderer(load_tokenizer(folder / "models" / TOKENIZER))
    return HEAD + "".join(
        line(folder / "data" / name, fields, renderer) for name, fields in FILES.items()
    )


def line(path: Path, fields: dict[str, Any], renderer: Renderer) -> str:
    """One row of the table."""
    data = {"train": str(path), "validation": 0, "test": 0, "max_length": 16_384} | fields
    recipe = Recipe.model_validate({"name": "tables", "model": {"base": "none"}, "data": data})
    splits = read_splits(recipe)
    prepared = prepare(splits, recipe.data, renderer)
    rows = prepared.train
    cells = [
        f"`{path.name}`",
        type(splits.train[0]).__name__.lower(),
        len(splits.train),
        len(rows),
        len(prepared.drops),
        "; ".join(f"row {drop.number} {drop.reason}" for drop in prepared.drops),
        rows.tokens,
        rows.scored_tokens,
        rows.longest,
    ]
    return "| " + " | ".join(f"{c:,}" if isinstance(c, int) else c for c in cells) + " |\n"


def replaced(page: str, tables: str) -> str:
    """`page` with what stands between the marks replaced."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + tables + END + rest.partition(END)[2]


if __name__ == "__main__":
    measured = table(Path(sys.argv[1]))
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")
