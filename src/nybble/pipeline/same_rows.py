"""Whether runs were split into training and test rows alike: else one may know the test rows."""

from collections.abc import Sequence
from typing import Any

from nybble.pipeline.contenders import Local
from nybble.recipe import Recipe
from nybble.recipe.references import map_references
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.sources import absolute

# What decides which rows are test rows. How rows are written, and how long they may be, does not.
SPLIT = ("train", "mixture", "revision", "validation", "test", "rows", "split_by", "duplicates",
         "limit", "seed")  # fmt: skip


def check_same_split(locals_: Sequence[Local], rows: Recipe, named: bool) -> list[str]:
    """Refuse runs whose rows were split otherwise than those of `rows`, naming run and field.

    Where the rows were `named` by the user, what is known of each run is told instead, in lines.
    """
    lines = []
    for one in locals_:
        if one.run is None:
            continue
        field = _differing(own_recipe(one.run), rows)
        if field is None:
            continue
        if not named:
            raise InputError(
                f"{one.name} was trained with another data.{field} than the run whose test rows "
                "are compared on: it may have learnt some of them.",
                "Name rows that none of them was trained on with --data RECIPE.",
            )
        lines.append(
            f"{one.name} was trained with another data.{field}: whether it has learnt some of "
            "these rows is not known."
        )
    return lines


def check_fingerprint(one: Local, fingerprint: str) -> None:
    """Refuse a run whose training rows have changed since: test rows might have been trained on."""
    if one.run is None:
        return
    then = str(one.run.read("environment.json")["data"])
    if then != fingerprint:
        raise InputError(
            f"{one.run.path}: the training rows changed since ({then[:12]} then, "
            f"{fingerprint[:12]} now).",
            "Restore what it was trained on, or name other rows with --data RECIPE.",
        )


def own_recipe(run: RunFolder) -> Recipe:
    """The recipe that a run was trained by."""
    from nybble.recipe import load_recipe

    return load_recipe(str(run.recipe.absolute()))


def _differing(own: Recipe, rows: Recipe) -> str | None:
    """The first field that splits the rows of the two recipes otherwise."""
    one, other = _split(own), _split(rows)
    return next((field for field in SPLIT if one[field] != other[field]), None)


def _split(recipe: Recipe) -> dict[str, Any]:
    return map_references(recipe, absolute).data.model_dump(include=set(SPLIT))
