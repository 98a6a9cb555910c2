"""Rows prepared a second, against TRL and the bare tokenizer; memory for 800,000 rows.

    python benchmarks/data.py [--short] [--output OUT.json]

The conversations are OpenAssistant's (../shared), repeated with edits, about 375 tokens each, every
answer scored, with Qwen's tokenizer. All take their turns, so that a noisy neighbour hits all of
them alike; medians are reported. `make peers` installs TRL in an environment of its own; without
it, it is left out. Each uses threads as it does by default.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
TOKENIZER = SHARED / "models" / "qwen2.5-0.5b-instruct"
PEER = ROOT / ".venv-peers" / "bin" / "python"
TRL_ROWS = 2000  # of the same rows: it is slower, and its rate does not depend on how many
ENCODE_ROWS = 1000

Round = Callable[[], dict[str, float]]


def write_chats(path: Path, rows: int) -> None:
    """Conversations of shared, each repetition with other words at the ends of its turns."""
    source = SHARED / "data" / "chat" / "oasst_en_paths_messages.jsonl"
    chats = [json.loads(line)["messages"] for line in source.read_text("utf-8").splitlines()]
    with open(path, "w", encoding="utf-8") as file:
        for number in range(rows):
            copy, place = divmod(number, len(chats))
            edit = f" Version {copy}." if copy else ""
            turns = [{**turn, "content": turn["content"] + edit} for turn in chats[place]]
            file.write(json.dumps({"messages": turns}, ensure_ascii=False) + "\n")


def nybble_round(path: Path, name: str) -> Round:
    """All rows of `path` to token rows: reading, rendering, tokenising, audit, store."""
    from nybble.data.corpus import read_splits
    from nybble.data.prepare import prepare
    from nybble.data.render import Renderer
    from nybble.data.tokenizer import load_tokenizer
    from nybble.recipe.load import parse_recipe

    text = f"name: a\nmodel: {{base: b}}\ndata: {{train: {path}, validation: 0, test: 0}}"
    recipe = parse_recipe(text, name, ["data.max_length=1000000"])
    splits = read_splits(recipe)
    renderer = Renderer(load_tokenizer(TOKENIZER))

    def run() -> dict[str, float]:
        began, cpu = time.perf_counter(), time.process_time()
        train = prepare(splits, recipe.data, renderer).train
        return {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
            "rows": len(splits.train),
            "tokens": train.tokens,
            "scored": train.scored_tokens,
        }

    return run


def bare_round(path: Path) -> Round:
    """`encode_batch` of tokenizers on the texts that the template makes, rendered beforehand."""
    from nybble.data.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(TOKENIZER)
    texts = [
        tokenizer.apply_chat_template(json.loads(line)["messages"], tokenize=False)
        for line in path.read_text("utf-8").splitlines()
    ]
    backend = tokenizer.backend_tokenizer

    def run() -> dict[str, float]:
        began, cpu, tokens = time.perf_counter(), time.process_time(), 0
        for start in range(0, len(texts), ENCODE_ROWS):
            encoded = backend.encode_batch(
                texts[start : start + ENCODE_ROWS], add_special_tokens=False
            )
            tokens += sum(map(len, encoded))
        return {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
            "rows": len(texts),
            "tokens": tokens,
        }

    return run


@contextmanager
def trl_round(path: Path) -> Iterator[Round | None]:
    """TRL's preparation in a process of its own, asked for a round at a time."""
    if not PEER.exists():
        print("TRL is left out: `make peers` installs it in .venv-peers.")
        yield None
        return
    script = ROOT / "benchmarks" / "trl_peer.py"
    process = subprocess.Popen(
        [PEER, script, path, TOKENIZER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    print(f"TRL {json.loads(stdout.readline())['trl']}")

    def run() -> dict[str, float]:
        stdin.write("\n")
        stdin.flush()
        found: dict[str, float] = json.loads(stdout.readline())
        return found

    yield run
    stdin.close()
    process.wait()


def compare(rows: int, rounds: int) -> dict[str, object]:
    """Rows a second of each, and ratios within a round, as medians."""
    with tempfile.TemporaryDirectory() as folder:
        path, few = Path(folder) / "chats.jsonl", Path(folder) / "few.jsonl"
        write_chats(path, rows)
        write_chats(few, min(rows, TRL_ROWS))
        with trl_round(few) as trl:
            variants = {"nybble": nybble_round(path, "benchmark"), "bare": bare_round(path)}
            if trl is not None:
                variants["trl"] = trl
            found: dict[str, list[dict[str, float]]] = {name: [] for name in variants}
            for _ in range(rounds + 1):
                for name, run in variants.items():
                    found[name].append(run())
    for name, of_rounds in found.items():
        print(name, {key: of_rounds[0][key] for key in of_rounds[0] if "seconds" not in key})
        del of_rounds[0]  # it warmed up
    return {"rows": rows, "rounds": rounds} | summary(found)


def summary(rounds: dict[str, list[dict[str, float]]]) -> dict[str, object]:
    """Medians, and a table of them."""
    rates = {name: [r["rows"] / r["seconds"] for r in found] for name, found in rounds.items()}
    cpu = {
        name: statistics.median(1000 * r["cpu_seconds"] / r["rows"] for r in found)
        for name, found in rounds.items()
    }
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratios = {
        f"nybble / {peer}": [
            ours / other for ours, other in zip(rates["nybble"], found, strict=True)
        ]
        for peer, found in rates.items()
        if peer != "nybble"
    }
    table = Table(
        "preparing conversations", "rows/s", "CPU ms/row", "Nybble against it", "lowest", "highest"
    )
    for name, median in medians.items():
        found = ratios.get(f"nybble / {name}")
        shown = [f"{f(found):.2f}x" for f in (statistics.median, min, max)] if found else [""] * 3
        table.add_row(name, f"{median:,.0f}", f"{cpu[name]:.2f}", *shown)
    Console().print(table)
    return {
        "rows_per_second": {name: round(median) for name, median in medians.items()},
        "cpu_milliseconds_per_row": {name: round(found, 3) for name, found in cpu.items()},
        "ratio": {name: round(statistics.median(found), 3) for name, found in ratios.items()},
        "ratio_of_each_round": {
            name: [round(ratio, 3) for ratio in found] for name, found in ratios.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="fewer rows, for a first look")
    parser.add_argument("--output", type=Path, help="JSON file to write")
    asked = parser.parse_args()
    if not SHARED.is_dir():
        print("benchmarks/data.py needs the conversations and tokenizers of ../shared.")
        return
    chats = compare(*((4000, 5) if asked.short else (20_000, 5)))
    memory = subprocess.run(
        [sys.executable, Path(__file__).with_name("data_memory.py"), *(["80000"] * asked.short)],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found = json.loads(memory.stdout)
    print(json.dumps(found, indent=2))
    if asked.output:
        record = {"date": time.strftime("%Y-%m-%d"), "conversations": chats, "memory": found}
        asked.output.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
