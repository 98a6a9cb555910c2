"""`bundled:python-style`: small Python questions, answered in one house style.

The style: the answer is a single code block and nothing else; every parameter and return value has
a type hint; every function and class has a docstring of one line that ends with a full stop; code
is formatted by ruff at 88 columns; nothing is printed; wrong input raises early. The rows were
written by hand and lie in `style.jsonl`; each brings a `check`, assertions that its code passes.
"""

import json
from collections.abc import Iterator
from importlib import resources
from itertools import islice
from typing import Any


def style(rows: int) -> Iterator[dict[str, Any]]:
    """The first `rows` rows, fewer where there are fewer: `messages` (a question and its answer)
    and `check`, Python source to be run after the answer's code."""
    path = resources.files("nybble.mini") / "style.jsonl"
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, islice(file, rows))
