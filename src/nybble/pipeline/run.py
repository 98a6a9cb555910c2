"""A run, from a recipe to a judged adapter: the steps in order.

Everything that can be refused is refused before torch is imported, which takes seconds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nybble.pipeline.stage import make_stage
from nybble.recipe import Recipe, dump_recipe
from nybble.report.page import write_report
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder, check_output, create_run_folder


def run(
    recipe: Recipe, output: Path | None = None, replace: bool = False, seeds: int = 1
) -> RunFolder:
    """Train and evaluate `recipe` into `output` (default runs/NAME-TIME).

    With `seeds` over 1, further adapters are trained with the next seeds on the same split. A run
    that fails before its first checkpoint leaves nothing.
    """
    check_output(output, replace)
    stage = make_stage(recipe)
    from nybble.pipeline.work import plan_here, work

    plan = plan_here(stage)
    folder = create_run_folder(recipe.name, output, replace, dump_recipe(stage.recipe))
    print(f"run        {recipe.name} into {folder.path}")
    _guarded(folder, lambda: work(stage, plan, folder, seeds))
    print(f"report     {write_report(folder)}")
    return folder


def resume(folder: RunFolder, recipe: Recipe) -> RunFolder:
    """Go on with an interrupted run: from its newest checkpoint, or with its evaluation."""
    if folder.comparison.exists():
        raise InputError(f"{folder.path} is finished.", "See its evaluation/comparison.json.")
    checkpoint = folder.newest_checkpoint()
    if checkpoint is None and not folder.adapter.exists():
        raise InputError(
            f"{folder.path} has no checkpoint to go on from.",
            "Begin anew with `nybble run`; train.save_steps says how often one is written.",
        )
    stage = make_stage(recipe)
    from nybble.pipeline.work import go_on, judge, plan_here

    if folder.adapter.exists() and not stage.judged:
        raise InputError(f"{folder.path} is finished.", "Its adapter lies in adapter/.")
    if folder.adapter.exists():
        judge(stage, plan_here(stage), folder)
    elif checkpoint:
        go_on(stage, plan_here(stage), folder, checkpoint)
    print(f"report     {write_report(folder)}")
    return folder


def evaluate_run(folder: RunFolder, recipe: Recipe) -> dict[str, Any]:
    """Evaluate the adapter of an earlier run; its folder counts the reads of its test rows."""
    if not folder.adapter.exists():
        raise InputError(f"{folder.path} has no adapter yet.", "Finish it with `nybble resume`.")
    stage = make_stage(recipe)
    if not stage.judged:
        raise InputError(
            "evaluate.task or evaluate.size says that there is nothing to evaluate.",
            "Say for example evaluate.task=number evaluate.size=500.",
        )
    from nybble.pipeline.work import judge, plan_here

    comparison = judge(stage, plan_here(stage), folder)
    print(f"report     {write_report(folder)}")
    return comparison


def _guarded(folder: RunFolder, work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException:
        folder.discard_if_empty_handed()
        raise
