"""From a recipe's sources to token rows, with every row accounted for."""

import gc
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nybble.data.audit import CHECKS, audit_rows
from nybble.data.examples import Conversation, Example, Pair, Text
from nybble.data.render import Refused, Renderer, TokenRow
from nybble.data.split import Splits
from nybble.data.store import StoreWriter, TokenStore
from nybble.recipe.schema import DataPart
from nybble.runs.atomic import new_folder, write_json, write_json_lines
from nybble.runs.errors import InputError

LARGEST_SILENT_DROP = 0.01
BATCH_ROWS = 1000
# One batch is rendered in Python while the tokenizer, which needs no Python, works on another.
BATCHES_AT_ONCE = 2

# The number of examples, their token rows, and what is left out.
Batch = tuple[int, list[TokenRow], list[Refused]]


@dataclass(frozen=True)
class Drop:
    """A row left out, and why."""

    part: str
    number: int
    reason: str


@dataclass(frozen=True)
class Prepared:
    """What a run works on: token rows to train and validate on, examples to judge on."""

    train: TokenStore
    validation: TokenStore
    splits: Splits
    drops: list[Drop]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the ids and scored masks of the training rows, in order."""
        return self.train.fingerprint

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
            "tokens": {name: rows.tokens for name, rows in parts.items()},
            "scored_tokens": {name: rows.scored_tokens for name, rows in parts.items()},
            "longest_row_tokens": self.train.longest,
            "checked": dict.fromkeys(CHECKS, sum(len(rows) for rows in parts.values())),
            "rows_spelling_special_tokens": {
                name: int(rows.spelled.sum()) for name, rows in parts.items()
            },
            "sources": [vars(share) for share in self.splits.shares],
            "repeats": dict(self.splits.repeats),
            "cut_rows": dict(self.splits.cut),
            "dropped": Counter(f"{drop.part}: {drop.reason}" for drop in self.drops),
            "dropped_rows": [vars(drop) for drop in self.drops],
        }


def prepare(
    splits: Splits,
    part: DataPart,
    renderer: Renderer,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    folder: Path | None = None,
) -> Prepared:
    """Token rows of train and validation, each checked against law 1; in files where a `folder`
    is given, else in memory.

    Rows longer than `data.max_length` and rows with an empty prompt or answer are dropped and
    listed. Raises `InputError` when that leaves nothing, or when over 1% go without
    `data.allow_drops`.
    """
    drops: list[Drop] = []
    total, done = len(splits.train) + len(splits.validation), 0
    stores: dict[str, TokenStore] = {}
    for name, examples in (("train", splits.train), ("validation", splits.validation)):
        with StoreWriter(folder and folder / name) as writer:
            for count, kept, refused in _batches(examples, part, renderer):
                writer.add(kept)
                drops += [Drop(name, row.number, row.reason) for row in refused]
                done += count
                on_progress(done, total)
            stores[name] = writer.finish()
    _check_drops(drops, stores, part)
    return Prepared(stores["train"], stores["validation"], splits, drops)


def _batches(examples: Sequence[Example], part: DataPart, renderer: Renderer) -> Iterator[Batch]:
    """Every batch of `examples`, in order: two are in the making at any time.

    Examples are read in this thread only: what lies behind them need not be safe for several.
    """
    waiting: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(BATCHES_AT_ONCE)
    # Else a tenth of the time goes into looking for garbage among all that was there before.
    gc.freeze()
    try:
        for start in range(0, len(examples), BATCH_ROWS):
            batch = examples[start : start + BATCH_ROWS]
            waiting.append(pool.submit(_batch, batch, part, renderer))
            if len(waiting) > BATCHES_AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        gc.unfreeze()
        pool.shutdown(cancel_futures=True)


def _batch(batch: Sequence[Example], part: DataPart, renderer: Renderer) -> Batch:
    pairs = [example for example in batch if isinstance(example, Pair)]
    chats = [example for example in batch if isinstance(example, Conversation)]
    rows: list[TokenRow | Refused] = [*renderer.pair_rows(pairs, part.score)]
    rows += renderer.chat_rows(chats, part.score, part.train_name)
    texts = {example.number for example in batch if isinstance(example, Text)}
    rows = [_checked(row, part, row.number in texts) for row in rows]
    kept = [row for row in rows if isinstance(row, TokenRow)]
    audit_rows(kept, batch, renderer)
    return len(batch), kept, [row for row in rows if isinstance(row, Refused)]


def _checked(row: TokenRow | Refused, part: DataPart, is_text: bool) -> TokenRow | Refused:
    """`row`, or why nothing could be learned from it."""
    if isinstance(row, Refused):
        return row
    if len(row.input_ids) > part.max_length:
        return Refused(row.number, f"is longer than data.max_length = {part.max_length} tokens")
    if len(row.input_ids) <= row.prompt_lengths[-1] + 1:
        return Refused(row.number, "has an empty answer")
    if row.prompt_lengths[0] == 0 and not is_text:
        return Refused(row.number, "has an empty prompt")
    return row


def _check_drops(drops: list[Drop], rows: dict[str, TokenStore], part: DataPart) -> None:
    kept = sum(len(part_rows) for part_rows in rows.values())
    if not drops:
        return
    first = drops[0]
    example = f"{first.part} row {first.number} {first.reason}"
    if not rows["train"]:
        raise InputError(
            f"{part.train_name}: no row is left to train on: {example}.", "Raise data.max_length."
        )
    share = len(drops) / (kept + len(drops))
    if share > LARGEST_SILENT_DROP and not part.allow_drops:
        raise InputError(
            f"{part.train_name}: {len(drops):,} rows ({share:.1%}) would be dropped: {example}.",
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
