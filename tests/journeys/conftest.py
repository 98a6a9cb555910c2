"""Stand-ins for what the journeys download: the real tokenizers over tiny random models of the same
family, and rows of the same columns.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

TEMPLATES = {
    "llama-3.2-1b-instruct": "meta-llama-Llama-3.2-3B-Instruct",
    "qwen2.5-0.5b-instruct": "Qwen-Qwen2.5-7B-Instruct",
    "qwen2.5-coder-0.5b-instruct": "Qwen-Qwen2.5-7B-Instruct",
}
# Each journey's model in ../shared/models, and the columns that its rows have.
JOURNEYS = {
    "mbpp-coder": ("qwen2.5-coder-0.5b-instruct", "mbpp"),
    "python-style": ("qwen2.5-0.5b-instruct", None),
    "finetome-chat": ("llama-3.2-1b-instruct", "sharegpt"),
    "llama-kaggle": ("llama-3.2-1b-instruct", None),
    "price-lite": ("llama-3.2-3b", "price"),
    "price-full": ("llama-3.2-3b", "price"),
}
FEW_TOKENS = "evaluate.max_new_tokens=8"
SMALL = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16,
}  # fmt: skip


@pytest.fixture(scope="session")
def stand_in_rows(shared: Path, tmp_path_factory: pytest.TempPathFactory):
    """A function from a journey's name to the overrides that replace its rows by a few."""
    root = tmp_path_factory.mktemp("rows")

    def overrides(journey: str) -> list[str]:
        columns = JOURNEYS[journey][1]
        if columns is None:
            return ["data.limit=12", "data.validation=2", "data.test=2", FEW_TOKENS]
        if columns == "mbpp":
            write_lines(root / "mbpp.jsonl", mbpp_rows(shared))
            return [f"data.train={root / 'mbpp.jsonl'}", FEW_TOKENS]
        files = []
        for part, first, count in (("train", 0, 12), ("validation", 12, 2), ("test", 14, 3)):
            path = root / f"{columns}-{part}.jsonl"
            write_lines(path, islice(ROWS[columns](shared, part), first, first + count))
            files.append(f"data.{part}={path}")
        return [*files, "evaluate.size=3"] if columns == "price" else files

    return overrides


@pytest.fixture(scope="session")
def stand_in_model(shared: Path, tmp_path_factory: pytest.TempPathFactory):
    """A function from a journey's name to the folder of its tiny model, made once for each."""
    root = tmp_path_factory.mktemp("models")

    def folder(journey: str) -> Path:
        name = JOURNEYS[journey][0]
        if not (root / name).exists():
            make_model(shared, name, root / name)
        return root / name

    return folder


def make_model(shared: Path, name: str, folder: Path) -> None:
    """A random model of the family of `name`, its real tokenizer and chat template beside it."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    source = shared / "models" / name
    values = json.loads((source / "config.json").read_text()) | SMALL
    config = AutoConfig.for_model(**values)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(followed(source / file), folder / file)
    if name in TEMPLATES:
        template = shared / "chat_templates" / f"{TEMPLATES[name]}.jinja"
        shutil.copyfile(template, folder / "chat_template.jinja")


def followed(path: Path) -> Path:
    """The file that `path` links to; some copies of links are files with the link's text."""
    return path if path.stat().st_size > 100 else path.parent / path.read_text().strip()


def mbpp_rows(shared: Path) -> Iterator[dict[str, Any]]:
    """A few tasks with short solutions for prompts, to test, to validate and to train on."""
    for first, count in ((1, 2), (11, 3), (511, 2), (601, 12)):
        rows = read_lines(shared / "data" / "mbpp" / "mbpp.jsonl")
        yield from islice(
            (row for row in rows if row["task_id"] >= first and len(row["code"]) < 200), count
        )


def sharegpt_rows(shared: Path, part: str) -> Iterator[dict[str, Any]]:
    """FineTome's columns over OpenAssistant's short conversations."""
    speakers = {"user": "human", "assistant": "gpt", "system": "system"}
    for row in read_lines(shared / "data" / "chat" / "oasst_en_paths_messages.jsonl"):
        turns = [{"from": speakers[m["role"]], "value": m["content"]} for m in row["messages"]]
        if sum(len(turn["value"]) for turn in turns) < 600:
            yield {"conversations": turns, "source": "stand-in", "score": 5.2}


def price_rows(shared: Path, part: str) -> Iterator[dict[str, Any]]:
    """Prompts and completions: prices are rounded to train on, and exact to judge by."""
    for item in read_lines(shared / "data" / "price" / "products.jsonl"):
        price = item["price"] if part == "test" else round(item["price"])
        prompt = f"What does this cost to the nearest dollar?\n\n{item['title']}\n\nPrice is $"
        yield {"prompt": prompt, "completion": f"{price:.2f}"}


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


ROWS = {"sharegpt": sharegpt_rows, "price": price_rows}
