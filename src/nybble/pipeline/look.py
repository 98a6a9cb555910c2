"""A recipe's rows, looked at before anything is trained: their lengths, and their tokens."""

import datetime
from dataclasses import replace
from typing import Any

import numpy as np

from nybble.data.columns import values_in
from nybble.data.corpus import read_splits
from nybble.data.lengths import Lengths, length_statistics, number_tokens
from nybble.data.prepare import Prepared, prepare
from nybble.data.preview import preview
from nybble.data.render import Renderer
from nybble.data.special_tokens import encode
from nybble.data.split import Splits
from nybble.data.tokenizer import load_tokenizer
from nybble.data.truncate import cut_splits
from nybble.recipe.schema import DataPart, Recipe
from nybble.sources import locate_model
from nybble.training.progress import watch

LONGEST = 1_000_000
BATCH_ROWS = 1_000
# Rows may be dropped: to show some, a few more are prepared.
SPARE_ROWS = 50


def measure(recipe: Recipe, field: str | None, progress: bool) -> dict[str, Any]:
    """Lengths of the training rows, whole and before any cut, and of their column `field`, which
    by default is the one that the recipe truncates; and how numbers are split."""
    splits = read_splits(recipe)
    part, renderer = recipe.data, _renderer(recipe)
    uncut = part.model_copy(
        update={
            "max_length": LONGEST,
            "allow_drops": True,
            "truncate": None,
            "max_prompt_length": None,
        }
    )
    train = replace(splits, validation=[], test=[])
    if progress:
        with watch("measuring rows", len(splits.train)) as bar:
            rows = prepare(train, uncut, renderer, lambda done, _: bar.update(done))
    else:
        rows = prepare(train, uncut, renderer)
    return measured(recipe, rows, field, renderer)


def measured(
    recipe: Recipe, prepared: Prepared, field: str | None, renderer: Renderer
) -> dict[str, Any]:
    """Lengths of the training rows of `prepared` and of their column `field`; how numbers are
    split. A column is measured whole, whatever was cut."""
    part, train = recipe.data, recipe.train
    field = field or (part.truncate.field if part.truncate else None)
    lengths = np.asarray(prepared.train.lengths, np.int64)
    found: dict[str, Any] = {
        "max_length": part.max_length,
        "batch_size": train.batch_size,
        "rows": length_statistics(lengths, train.batch_size, train.seed),
        "field": None,
        "numbers": number_tokens(renderer.tokenizer),
    }
    if field is not None:
        lengths = _field_lengths(prepared.splits, field, part, renderer)
        statistics = length_statistics(lengths, train.batch_size, train.seed)
        found["field"] = {"name": field, **statistics}
    return found


def show(recipe: Recipe, rows: int) -> list[dict[str, Any]]:
    """The first training rows token by token; only so many are prepared."""
    splits, renderer = read_splits(recipe), _renderer(recipe)
    part = recipe.data.model_copy(update={"allow_drops": True})
    first = replace(splits, train=splits.train[: rows + SPARE_ROWS], validation=[], test=[])
    prepared = prepare(cut_splits(first, part, renderer), part, renderer)
    return preview(prepared.train[:rows], renderer.tokenizer)


def _renderer(recipe: Recipe) -> Renderer:
    part = recipe.model
    folder = locate_model(part.base, part.revision, part.trust_remote_code)
    tokenizer = load_tokenizer(
        folder, part.trust_remote_code, recipe.data.chat_template, part.new_tokens
    )
    return Renderer(tokenizer, recipe.data.date or datetime.date.today())


def _field_lengths(splits: Splits, field: str, part: DataPart, renderer: Renderer) -> Lengths:
    """Tokens of the column `field` of each training row [rows]."""
    texts = values_in(splits.train, field, "the field to measure", part.train_name)
    counts: list[int] = []
    for start in range(0, len(texts), BATCH_ROWS):
        batch = encode(renderer.tokenizer, texts[start : start + BATCH_ROWS], False)
        counts += map(len, batch)
    return np.array(counts, np.int64)
