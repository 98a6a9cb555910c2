"""Who watches the training of a run."""

from collections.abc import Sequence
from typing import Any

from nybble.export.publish import Publisher
from nybble.pipeline.stage import Stage
from nybble.planner.plan import Plan
from nybble.recipe.schema import Recipe
from nybble.runs.folder import RunFolder
from nybble.runs.secrets import masked
from nybble.training.symptoms import SymptomWatcher
from nybble.training.tracker_runs import TrackerRuns
from nybble.training.trackers import TrackerWatcher
from nybble.training.watchers import Watcher


def watchers_for(stage: Stage, plan: Plan, folder: RunFolder) -> Sequence[Watcher]:
    """The watchers that the recipe of `stage` asks for."""
    part = stage.recipe.train
    watchers: list[Watcher] = []
    watchers.append(SymptomWatcher(folder.metrics, part.max_grad_norm))
    runs = TrackerRuns(folder, part.project, run_name(stage.recipe, folder))
    settings = flat_settings(stage.recipe)
    watchers.extend(TrackerWatcher(name, runs.maker(name), settings) for name in part.report_to)
    return (*watchers, *publishers(stage, folder))


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
