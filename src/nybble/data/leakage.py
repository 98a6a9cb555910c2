"""Rows that say again what another row says: within the training rows, and across the parts.

A test row that was also trained on is remembered, not solved. Two rows are exact repeats

    across parts    when they ask the same, whatever the answer
    in training     when they ask and answer the same

where case and the kind of white space do not count; and near repeats, when four fifths of their
three-word sequences agree. Every row is looked at for exact repeats. Near ones cost more: without
`data.duplicates: remove` they are looked for in 5,000 rows, which is said.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nybble.data.examples import Example
from nybble.data.similar import near_duplicates
from nybble.data.split import Splits
from nybble.data.texts import question_and_answer
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError
from nybble.sources.lazy import Lazy, View

NEAR_ROWS = 5_000
EXAMPLES = 5
MOST_CHARACTERS = 200
NONE = -1

Places = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Repeats:
    """What was found. Rows are counted from 0 through test, validation and training rows.

    `of` [rows]: the earlier row that each repeats, or -1; `near` [rows]: whether only nearly.
    `compared` of them were looked at for near repeats.
    """

    of: Places
    near: NDArray[np.bool_]
    compared: int
    removed: list[int] | None
    counts: dict[str, int]
    examples: list[dict[str, Any]]

    def audit(self) -> dict[str, Any]:
        """For audit.json: counts such as "exact train in test", and some of each with texts."""
        return {
            "counts": self.counts,
            "rows": len(self.of),
            "rows_compared_for_near": self.compared,
            "examples": self.examples,
            "removed": self.removed,
        }


class _Rows(Lazy[Example]):
    """All rows: those to test, those to validate, those to train on."""

    def __init__(self, splits: Splits) -> None:
        self.parts = {
            "test": splits.test, "validation": splits.validation, "train": splits.train
        }  # fmt: skip

    def __len__(self) -> int:
        return sum(map(len, self.parts.values()))

    def read(self, index: int) -> Example:
        name, at = self.place(index)
        return self.parts[name][at]

    def place(self, index: int) -> tuple[str, int]:
        """The part that holds the row at `index`, and its index there."""
        for name, part in self.parts.items():
            if index < len(part):
                return name, index
            index -= len(part)
        raise IndexError("there are fewer rows")


class _Texts(Lazy[str]):
    """The texts of the rows at `places`, made when they are asked for."""

    def __init__(self, rows: _Rows, places: Places) -> None:
        self.rows, self.places = rows, places

    def __len__(self) -> int:
        return len(self.places)

    def read(self, index: int) -> str:
        return "\n".join(question_and_answer(self.rows.read(int(self.places[index]))))


def check_repeats(splits: Splits, part: DataPart) -> Splits:
    """`splits` with what was found in `repeats`; without repeated rows where the recipe says so.

    Raises `InputError` when that would leave nothing to train on.
    """
    remove = part.duplicates == "remove"
    found = find_repeats(splits, part.seed, every_row=remove)
    if remove:
        splits, found = without_repeats(splits, found)
    if not len(splits.train):
        raise InputError(
            f"{part.train_name}: every training row repeats a test or validation row.",
            "Name other rows, or keep these with data.duplicates=report.",
        )
    return replace(splits, repeats=found.audit())


def find_repeats(splits: Splits, seed: int, every_row: bool) -> Repeats:
    """The repeats in `splits`; near ones among 5,000 rows drawn by `seed`, or among `every_row`."""
    rows = _Rows(splits)
    of = _exact(rows)
    near = np.zeros(len(rows), dtype=bool)
    left = np.flatnonzero(of == NONE)
    chosen = left if every_row else _some(left, len(rows) - len(splits.train), seed)
    held = len(rows) - len(splits.train)
    for later, earlier, _ in near_duplicates(_Texts(rows, chosen)):
        row, of_row = int(chosen[later]), int(chosen[earlier])
        # Two rows of one held part may be alike: neither was trained on.
        if of[row] == NONE and (row >= held or rows.place(row)[0] != rows.place(of_row)[0]):
            of[row], near[row] = of_row, True
    return Repeats(of, near, len(chosen), None, *_told(rows, of, near))


def without_repeats(splits: Splits, repeats: Repeats) -> tuple[Splits, Repeats]:
    """`splits` without what repeats an earlier row, and the findings with those rows' numbers."""
    rows = _Rows(splits)
    stays = repeats.of == NONE
    test, held = len(splits.test), len(rows) - len(splits.train)
    left = replace(
        splits,
        test=_those(splits.test, stays[:test]),
        validation=_those(splits.validation, stays[test:held]),
        train=_those(splits.train, stays[held:]),
    )
    return left, replace(repeats, removed=[rows[i].number for i in np.flatnonzero(~stays).tolist()])


def _those(part: Sequence[Example], stays: NDArray[np.bool_]) -> View[Example]:
    """The rows that stay, as a view of what `part` is a view of."""
    places = np.flatnonzero(stays)
    if isinstance(part, View):
        return View(part.base, np.asarray(part.indices)[places].tolist())
    return View(part, places.tolist())


def _exact(rows: _Rows) -> Places:
    """For each row the first that it exactly repeats, of an earlier part or of the training rows;
    or -1."""
    asked, said = np.empty(len(rows), np.uint64), np.empty(len(rows), np.uint64)
    place = 0
    for part in rows.parts.values():
        for example in part:
            question, answer = map(_plain, question_and_answer(example))
            asked[place] = _hash(question or answer)
            said[place] = _hash(f"{question}\0{answer}")
            place += 1
    test, held = len(rows.parts["test"]), len(rows) - len(rows.parts["train"])
    of = np.full(len(rows), NONE, np.int64)
    of[test:held] = _first_equal(asked[test:held], asked[:test])
    of[held:] = _first_equal(asked[held:], asked[:held])
    _, first, which = np.unique(said[held:], return_index=True, return_inverse=True)
    again = (first[which] != np.arange(len(which))) & (of[held:] == NONE)
    of[held:][again] = first[which][again] + held
    return of


def _first_equal(hashes: Hashes, earlier: Hashes) -> Places:
    """For each of `hashes` where it first stands in `earlier`, or -1."""
    known, first = np.unique(earlier, return_index=True)
    if not len(known):
        return np.full(len(hashes), NONE, np.int64)
    at = np.searchsorted(known, hashes).clip(max=len(known) - 1)
    return np.where(known[at] == hashes, first[at], NONE)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


def _some(places: Places, held: int, seed: int) -> Places:
    """`NEAR_ROWS` of them in their order: at most half of them held out, the rest to train on."""
    draw = np.random.default_rng([seed, NEAR_ROWS])
    out, to_train = places[places < held], places[places >= held]
    out = _drawn(out, max(NEAR_ROWS // 2, NEAR_ROWS - len(to_train)), draw)
    return np.concatenate([out, _drawn(to_train, NEAR_ROWS - len(out), draw)])


def _drawn(places: Places, most: int, draw: np.random.Generator) -> Places:
    if len(places) <= most:
        return places
    return np.sort(draw.choice(places, most, replace=False))


def _told(
    rows: _Rows, of: Places, near: NDArray[np.bool_]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """How many of each kind, and the first few with numbers and the beginnings of their texts."""
    counts = Counter[str]()
    examples: list[dict[str, Any]] = []
    for row in np.flatnonzero(of != NONE).tolist():
        of_row = int(of[row])
        kind = f"{'near' if near[row] else 'exact'} {rows.place(row)[0]} in {rows.place(of_row)[0]}"
        counts[kind] += 1
        if counts[kind] <= EXAMPLES:
            one, other = rows[row], rows[of_row]
            examples.append(
                {"kind": kind, "row": one.number, "of_row": other.number,
                 "text": _beginning(one), "of_text": _beginning(other)}
            )  # fmt: skip
    return dict(sorted(counts.items())), examples


def _beginning(example: Example) -> str:
    return " → ".join(question_and_answer(example))[:MOST_CHARACTERS]


def repeats_line(found: dict[str, Any]) -> str:
    """`found`, the `repeats` of an audit, in one line; empty where nothing was found."""
    if not found["counts"]:
        return ""
    counts = ", ".join(f"{n:,} {kind}" for kind, n in found["counts"].items())
    looked = ""
    if found["rows_compared_for_near"] < found["rows"] - sum(found["counts"].values()):
        looked = f" (near ones among {found['rows_compared_for_near']:,} of {found['rows']:,} rows)"
    fate = "removed" if found["removed"] is not None else "data.duplicates=remove removes them"
    return f"Repeated rows: {counts}{looked}; {fate}."
