"""From a recipe's sources to token rows, with every row accounted for."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nybble.data.examples import Conversation, Example, Pair, read_examples
from nybble.data.render import Renderer, TokenRow
from nybble.data.split import Splits, split_examples
from nybble.recipe.schema import DataPart, Recipe
from nybble.runs.atomic import new_folder, write_json, write_json_lines
from nybble.runs.errors import InputError
from nybble.sources import load_rows

LARGEST_SILENT_DROP = 0.01
BATCH = 1000


@dataclass(frozen=True)
class Drop:
    """A row left out, and why."""

    part: str
    number: int
    reason: str


@dataclass(frozen=True)
class Prepared:
    """What a run works on: token rows to train and validate on, examples to judge on."""

    train: list[TokenRow]
    validation: list[TokenRow]
    splits: Splits
    drops: list[Drop]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the ids and scored masks of the training rows, in order."""
        digest = hashlib.sha256()
        for row in self.train:
            digest.update(repr((row.input_ids, row.scored)).encode())
        return digest.hexdigest()

    def audit(self) -> dict[str, Any]:
        """Counts for the run folder: rows and tokens of each part, and every row left out."""
        parts = {"train": self.train, "validation": self.validation}
        return {
            "fingerprint": self.fingerprint,
            "format": "messages"
            if isinstance(self.splits.train[0], Conversation)
            else "prompt-completion",
            "rows": {name: len(rows) for name, rows in parts.items()}
            | {"test": len(self.splits.test)},
            "tokens": {name: sum(len(r.input_ids) for r in rows) for name, rows in parts.items()},
            "scored_tokens": {
                name: sum(sum(r.scored) for r in rows) for name, rows in parts.items()
            },
            "longest_row_tokens": max(len(row.input_ids) for row in self.train),
            "dropped": Counter(f"{drop.part}: {drop.reason}" for drop in self.drops),
            "dropped_rows": [vars(drop) for drop in self.drops],
        }


def read_splits(recipe: Recipe) -> Splits:
    """The examples of a recipe, split; nothing is tokenised yet."""
    part = recipe.data

    def examples(source: str) -> list[Example]:
        rows = load_rows(source, part.revision, part.limit)
        return read_examples(rows, part, source)

    def count_or_examples(value: int | str) -> int | list[Example]:
        return value if isinstance(value, int) else examples(value)

    return split_examples(
        examples(part.train),
        count_or_examples(part.validation),
        count_or_examples(part.test),
        recipe.data.seed,
    )


def prepare(
    splits: Splits,
    part: DataPart,
    renderer: Renderer,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Token rows of train and validation, each checked against law 1.

    Rows longer than `data.max_length` and rows with an empty prompt or answer are dropped and
    listed. Raises `InputError` when that leaves nothing, or when over 1% go without
    `data.allow_drops`.
    """
    drops: list[Drop] = []
    total, done = len(splits.train) + len(splits.validation), 0
    rows: dict[str, list[TokenRow]] = {"train": [], "validation": []}
    for name, examples in (("train", splits.train), ("validation", splits.validation)):
        for start in range(0, len(examples), BATCH):
            batch = examples[start : start + BATCH]
            for row in _render(batch, part, renderer):
                reason = _reason_to_drop(row, part)
                if reason:
                    drops.append(Drop(name, row.number, reason))
                else:
                    audit_row(row, renderer)
                    rows[name].append(row)
            done += len(batch)
            on_progress(done, total)
    _check_drops(drops, rows, part)
    return Prepared(rows["train"], rows["validation"], splits, drops)


def _render(batch: Sequence[Example], part: DataPart, renderer: Renderer) -> list[TokenRow]:
    pairs = [example for example in batch if isinstance(example, Pair)]
    rows = renderer.pair_rows(pairs, part.score)
    for example in batch:
        if isinstance(example, Conversation):
            rows += renderer.chat_rows(example, part.score, part.train)
    return rows


def _reason_to_drop(row: TokenRow, part: DataPart) -> str | None:
    if len(row.input_ids) > part.max_length:
        return f"is longer than data.max_length = {part.max_length} tokens"
    if len(row.input_ids) <= row.prompt_lengths[-1] + 1:
        return "has an empty answer"
    if row.prompt_lengths[0] == 0:
        return "has an empty prompt"
    return None


def audit_row(row: TokenRow, renderer: Renderer) -> None:
    """Check what no tokenizer or template may break; a failure is a bug of ours."""
    bos = renderer.tokenizer.bos_token_id
    assert len(row.scored) == len(row.input_ids), f"row {row.number}: mask and ids differ in length"
    assert row.input_ids[-1] == renderer.stop_id, f"row {row.number}: does not end with the stop id"
    assert row.scored[-1], f"row {row.number}: the stop token is not scored"
    assert bos is None or row.input_ids[:2] != [bos, bos], f"row {row.number}: begins with two BOS"
    for length in row.prompt_lengths:
        assert row.scored[length], f"row {row.number}: an answer begins unscored at {length}"


def _check_drops(drops: list[Drop], rows: dict[str, list[TokenRow]], part: DataPart) -> None:
    kept = sum(len(part_rows) for part_rows in rows.values())
    if not drops:
        return
    first = drops[0]
    example = f"{first.part} row {first.number} {first.reason}"
    if not rows["train"]:
        raise InputError(
            f"{part.train}: no row is left to train on: {example}.", "Raise data.max_length."
        )
    share = len(drops) / (kept + len(drops))
    if share > LARGEST_SILENT_DROP and not part.allow_drops:
        raise InputError(
            f"{part.train}: {len(drops):,} rows ({share:.1%}) would be dropped: {example}.",
            "Raise data.max_length, or accept it with data.allow_drops=true.",
        )


def _as_json(columns: dict[str, Any]) -> dict[str, Any]:
    """`columns` in JSON's types: Parquet also holds dates, bytes, NaN."""
    text = json.dumps(columns, default=str)
    plain: dict[str, Any] = json.loads(text, parse_constant=lambda _: None)
    return plain


def write_prepared(prepared: Prepared, folder: Path) -> None:
    """Write train.jsonl and validation.jsonl (ids, scored mask, source row) and audit.json."""
    with new_folder(folder) as scratch:
        for name, rows in (("train", prepared.train), ("validation", prepared.validation)):
            lines = [
                {
                    "source_row": r.number,
                    "input_ids": r.input_ids,
                    "scored": list(map(int, r.scored)),
                }
                for r in rows
            ]
            write_json_lines(scratch / f"{name}.jsonl", lines)
        test = [
            {"source_row": e.number, "columns": _as_json(e.columns)} for e in prepared.splits.test
        ]
        write_json_lines(scratch / "test.jsonl", test)
        write_json(scratch / "audit.json", prepared.audit())
