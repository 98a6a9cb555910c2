"""Memory and rate of preparing many prompt + completion rows: run by `data.py` in its own process.

    python benchmarks/data_memory.py [ROWS]

The rows are the shop items of ../shared, repeated with edits, 60 to 100 tokens each. Peak resident
memory is the kernel's own count (VmHWM), of everything from the start of the process: libraries,
reading, splitting, tokenising, the store.
"""

import itertools
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
TOKENIZER = SHARED / "models" / "qwen2.5-0.5b-instruct"


def write_items(path: Path, rows: int) -> None:
    """Prompt and completion of `rows` items, each of three neighbours of the list."""
    source = SHARED / "data" / "price" / "products.jsonl"
    items = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    with open(path, "w", encoding="utf-8") as file:
        for number in range(rows):
            chosen = [items[(number * step) % len(items)] for step in (1, 3, 7)]
            text = "\n".join(f"{item['title']}, {item['category']}" for item in chosen)
            row = {
                "prompt": f"What does the first of these cost?\n{text}\nLot {number}. Price is $",
                "completion": f"{chosen[0]['price']:.0f}",
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def memory_megabytes(field: str) -> float:
    """VmRSS or VmHWM of this process."""
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 800_000
    from nybble.data.cache import prepare_once
    from nybble.data.corpus import read_splits
    from nybble.data.render import Renderer
    from nybble.data.tokenizer import load_tokenizer
    from nybble.recipe.load import parse_recipe

    with tempfile.TemporaryDirectory() as folder:
        os.environ["NYBBLE_CACHE"] = str(Path(folder) / "cache")
        path = Path(folder) / "items.jsonl"
        write_items(path, rows)
        recipe = parse_recipe(
            f"name: a\nmodel: {{base: b}}\ndata: {{train: {path}, validation: 1000, test: 1000}}",
            "benchmark",
            [],
        )
        renderer = Renderer(load_tokenizer(TOKENIZER))
        libraries = memory_megabytes("VmHWM")
        began = time.perf_counter()
        splits = read_splits(recipe)
        read = time.perf_counter()
        ticks = [(0, read)]
        prepared, _ = prepare_once(
            splits,
            recipe.data,
            renderer,
            lambda done, total: ticks.append((done, time.perf_counter())),
        )
        done = time.perf_counter()
        again, cached = prepare_once(splits, recipe.data, renderer)
        opened = time.perf_counter()
        assert cached and again.fingerprint == prepared.fingerprint
        print(json.dumps({
            "rows": rows,
            "tokens_per_row": round(prepared.train.tokens / len(prepared.train), 1),
            "peak_megabytes": round(memory_megabytes("VmHWM")),
            "libraries_megabytes": round(libraries),
            "read_seconds": round(read - began, 1),
            "prepare_seconds": round(done - read, 1),
            "from_cache_seconds": round(opened - done, 1),
            "rows_per_second_by_tenth": by_tenth(ticks[1:]),
        }))  # fmt: skip


def by_tenth(ticks: list[tuple[int, float]]) -> list[int]:
    """Rows a second in each tenth of the rows, from moments when so many were done."""
    total = ticks[-1][0]
    marks = [min(ticks, key=lambda tick: abs(tick[0] - total * n / 10)) for n in range(11)]
    return [round((b[0] - a[0]) / (b[1] - a[1])) for a, b in itertools.pairwise(marks)]


if __name__ == "__main__":
    main()
