"""The examples that a recipe names: read from their sources, split, and mixed by weight."""

from collections.abc import Sequence
from dataclasses import replace

from nybble.data.examples import Example
from nybble.data.leakage import check_repeats
from nybble.data.mixture import Joined, mix
from nybble.data.reading import Examples, read_examples
from nybble.data.split import Held, Share, Splits, split_examples
from nybble.recipe.row_parts import RowRange
from nybble.recipe.schema import DataPart, Recipe
from nybble.sources import load_rows
from nybble.sources.lazy import View


def read_splits(recipe: Recipe) -> Splits:
    """The examples of a recipe, split; nothing is tokenised yet.

    The sources of a mixture are joined, split, and only then repeated or cut down to their weights:
    validation and test rows are drawn from every row alike, and each is in one part only.
    """
    part = recipe.data
    joined = _joined(part)

    def held(value: int | float | RowRange | str, reading: DataPart) -> Held:
        return _read(value, reading) if isinstance(value, str) else value

    splits = split_examples(
        joined,
        held(part.validation, part),
        held(part.test, for_tests(part)),
        part.seed,
        rows=part.rows,
        split_by=part.split_by,
        source=part.train_name,
    )
    splits = check_repeats(splits, part)
    test = splits.test if isinstance(part.test, str) else _exact(splits.test, joined, part)
    if isinstance(part.train, str):
        return replace(splits, test=test)
    weights = [source.weight for source in part.train]
    assert isinstance(splits.train, View)
    train = mix(splits.train, joined, weights, part.mixture, part.seed)
    return replace(splits, train=train, test=test, shares=_shares(train, joined))


def source_parts(part: DataPart) -> list[tuple[str, DataPart]]:
    """Each source of training rows, and how its rows are read."""
    if isinstance(part.train, str):
        return [(part.train, part)]
    return [(each.source, part.model_copy(update=each.reading())) for each in part.train]


def for_tests(part: DataPart) -> DataPart:
    """`part` as test rows are read: with `data.test_completion` where there is one."""
    if part.test_completion is None:
        return part
    return part.model_copy(update={"completion": part.test_completion})


def _read(source: str, part: DataPart, first: int = 1) -> Examples:
    return read_examples(load_rows(source, part.revision, part.limit), part, source, first)


def _joined(part: DataPart) -> Joined:
    parts: list[Examples] = []
    for source, reading in source_parts(part):
        parts.append(_read(source, reading, 1 + sum(map(len, parts))))
    return Joined(parts)


def _exact(test: Sequence[Example], joined: Joined, part: DataPart) -> Sequence[Example]:
    """`test`, a view of `joined`, with the completions that test rows have."""
    readings = [reading for _, reading in source_parts(part)]
    if all(reading.test_completion is None for reading in readings):
        return test
    assert isinstance(test, View)
    parts = [
        Examples(read.rows, for_tests(reading), read.source, read.first)
        for read, reading in zip(joined.parts, readings, strict=True)
    ]
    exact = View(Joined(parts), test.indices)
    for _ in exact:  # a row that does not fit is told now
        pass
    return exact


def _shares(train: View[Example], joined: Joined) -> tuple[Share, ...]:
    """Where each source's rows are numbered, and how many rows of it are trained on."""
    drawn = [0] * len(joined.parts)
    for index in train.indices:
        drawn[joined.part(index)] += 1
    return tuple(
        Share(part.source, part.first, part.first + len(part) - 1, count)
        for part, count in zip(joined.parts, drawn, strict=True)
    )
