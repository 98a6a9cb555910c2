"""A run, from a recipe to a judged adapter: the steps in order.

Everything that can be refused is refused before torch is imported, which takes seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nybble.export.publish import check_publish, publish_end
from nybble.pipeline.seeds import finished, folder_of, further_seeds
from nybble.pipeline.stage import Stage, judged, make_stage
from nybble.pipeline.together import check_seeds, help_train, quiet, together
from nybble.recipe import Recipe, dump_recipe
from nybble.recipe.references import map_references
from nybble.report.page import write_report
from nybble.runs.errors import InputError
from nybble.runs.folder import RUNS, RunFolder, check_output, create_run_folder
from nybble.runs.lock import check_not_locked, locked
from nybble.runs.place import place_here
from nybble.sources import absolute
from nybble.training.signals import StopNow, TerminatedError, ended_by_sigterm
from nybble.training.trackers import check_packages


@ended_by_sigterm()
def run(
    recipe: Recipe, output: Path | None = None, replace: bool = False, seeds: int = 1
) -> RunFolder:
    """Train and evaluate `recipe` into `output` (default runs/NAME-TIME).

    With `seeds` over 1, further adapters are trained with the next seeds on the same split. A run
    that fails before its first checkpoint leaves nothing.
    """
    place = place_here()
    check_seeds(place, seeds)
    check_output(output, replace)
    check_publish(recipe)
    check_packages(recipe.train.report_to)
    with quiet(place):
        stage = make_stage(recipe)
    with together(place):
        from nybble.pipeline.work import begin, plan_here

        plan = plan_here(stage)
        if not place.leads:
            help_train(stage, plan, None)
            return RunFolder(output or RUNS)
        # Absolute paths: the run can be resumed or judged from another folder.
        written = dump_recipe(map_references(stage.recipe, absolute))
        folder = create_run_folder(recipe.name, output, replace, written)
        print(f"run        {recipe.name} into {folder.path}")
        with locked(folder.path), _guarded(folder):
            begin(stage, plan, folder, seeds)
            publish_end(folder, stage.recipe)
            print(f"report     {write_report(folder)}")
    return folder


@ended_by_sigterm()
def resume(folder: RunFolder, recipe: Recipe) -> RunFolder:
    """Go on with an interrupted run: from its newest checkpoint, with its evaluation or seeds."""
    place = place_here()
    if place.leads:
        check_not_locked(folder.path)
    check_seeds(place, 1 + len(further_seeds(folder)))
    if folder.newest_checkpoint() is None and not folder.trained.exists():
        raise InputError(
            f"{folder.path} has no checkpoint to go on from.",
            "Begin anew with `nybble run`; train.save_steps says how often one is written.",
        )
    if finished(folder, judged(recipe)):
        raise InputError(f"{folder.path} is finished.", f"`nybble report {folder.path}` shows it.")
    check_publish(recipe)
    check_packages(recipe.train.report_to)
    with quiet(place):
        stage = make_stage(recipe)
    _check_same_rows(folder, stage)
    with together(place):
        from nybble.pipeline.work import finish, plan_as_begun

        plan = plan_as_begun(stage, folder)
        if not place.leads:
            if not folder.trained.exists():
                help_train(stage, plan, folder.newest_checkpoint())
            return folder
        with locked(folder.path), _guarded(folder):
            finish(stage, plan, folder)
            publish_end(folder, stage.recipe)
            print(f"report     {write_report(folder)}")
    return folder


def evaluate_run(folder: RunFolder, recipe: Recipe) -> dict[str, Any]:
    """Evaluate what an earlier run trained; its folder counts the reads of its test rows."""
    check_not_locked(folder.path)
    for one in (folder, *(folder_of(folder, seed) for seed in further_seeds(folder))):
        if not one.trained.exists():
            raise InputError(
                f"{one.path} is not trained yet.", f"Finish it with `nybble resume {folder.path}`."
            )
    stage = make_stage(recipe)
    if not stage.judged:
        raise InputError(
            "evaluate.task or evaluate.size says that there is nothing to evaluate.",
            "Say for example evaluate.task=number evaluate.size=500.",
        )
    _check_same_rows(folder, stage)
    from nybble.pipeline.work import judge, plan_here

    with locked(folder.path):
        comparison = judge(stage, plan_here(stage), folder)
    print(f"report     {write_report(folder)}")
    return comparison


def _check_same_rows(folder: RunFolder, stage: Stage) -> None:
    """Refuse when the rows changed since the run began: test rows might have been trained on."""
    then, now = folder.read("environment.json")["data"], stage.prepared.fingerprint
    if then != now:
        raise InputError(
            f"{folder.path}: the training rows changed since ({then[:12]} then, {now[:12]} now).",
            "Restore what it was trained on, or begin anew with `nybble run`.",
        )


@contextmanager
def _guarded(folder: RunFolder) -> Iterator[None]:
    """Discard a run that fails before its first checkpoint; a signal says how to go on."""
    try:
        yield
    except BaseException as error:
        way_on = folder.way_on()
        if not (folder.path / "not_finite.json").exists():
            folder.discard_if_empty_handed()
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(way_on) from None
        if isinstance(error, StopNow):
            raise TerminatedError("Ended by SIGTERM.", way_on) from None
        raise
