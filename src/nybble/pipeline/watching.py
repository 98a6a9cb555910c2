"""Who watches the training of a run."""

import sys
from collections.abc import Sequence
from typing import Any

import torch

from nybble.export.publish import Publisher
from nybble.pipeline.stage import Stage
from nybble.planner.plan import Plan, flop_per_token
from nybble.recipe.schema import Recipe
from nybble.runs.folder import RunFolder
from nybble.runs.secrets import masked
from nybble.training.ceiling import gemm_flop_per_second
from nybble.training.live import Expected, LiveView
from nybble.training.symptoms import SymptomWatcher
from nybble.training.tracker_runs import TrackerRuns
from nybble.training.trackers import TrackerWatcher
from nybble.training.watchers import Watcher


def watchers_for(stage: Stage, plan: Plan, folder: RunFolder) -> Sequence[Watcher]:
    """The watchers that the recipe of `stage` asks for."""
    part = stage.recipe.train
    # The view comes first: what the others print, it has to make room for.
    watchers: list[Watcher] = [
        LiveView(folder.metrics, expected(stage, plan)),
        SymptomWatcher(folder.metrics, part.max_grad_norm),
    ]
    runs = TrackerRuns(folder, part.project, run_name(stage.recipe, folder))
    settings = flat_settings(stage.recipe)
    watchers.extend(TrackerWatcher(name, runs.maker(name), settings) for name in part.report_to)
    return (*watchers, *publishers(stage, folder))


def expected(stage: Stage, plan: Plan) -> Expected:
    """What the view holds a step against. On a GPU that somebody watches, its speed is measured."""
    dtype = getattr(torch, plan.compute_dtype)
    watched = plan.device == "cuda" and sys.stdout.isatty()
    in_linears, in_head = flop_per_token(stage.recipe, stage.config)
    return Expected(
        max_grad_norm=stage.recipe.train.max_grad_norm,
        flop_per_token=in_linears,
        flop_per_scored_token=in_head,
        flop_per_second=gemm_flop_per_second(dtype) if watched else None,
        planned_bytes=plan.planned_bytes,
    )


def run_name(recipe: Recipe, folder: RunFolder) -> str:
    """What trackers call the training in `folder`; those of further seeds are told apart."""
    path = folder.path.absolute()
    of_seed = path.parent.name == "seeds"
    whole = path.parent.parent if of_seed else path
    name = recipe.train.run_name or whole.name
    return f"{name}-{path.name}" if of_seed else name


def flat_settings(recipe: Recipe) -> dict[str, Any]:
    """The recipe's fields by their dotted names, as plain values without secrets."""
    flat: dict[str, Any] = {}
    for part, fields in recipe.model_dump(mode="json").items():
        named = fields.items() if isinstance(fields, dict) else [("", fields)]
        for field, value in named:
            name = f"{part}.{field}" if field else part
            plain = isinstance(value, bool | int | float)
            flat[name] = value if plain else masked(str(value))
    return flat


def publishers(stage: Stage, folder: RunFolder) -> Sequence[Watcher]:
    """Who pushes every save. Further seeds, whose folders hold no recipe, are not published."""
    part = stage.recipe.publish
    wanted = part.hub and part.every_save and folder.recipe.is_file()
    return (Publisher(folder, stage.recipe),) if wanted else ()
