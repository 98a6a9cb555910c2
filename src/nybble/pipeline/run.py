"""A run, from a recipe to a judged adapter: the steps in order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nybble.model.device import current_device
from nybble.pipeline.environment import environment
from nybble.pipeline.evaluate import TUNED, Examiner, evaluate
from nybble.pipeline.stage import Stage, make_stage
from nybble.pipeline.train import Trained, load_model, train
from nybble.planner.plan import Plan
from nybble.recipe import Recipe, dump_recipe
from nybble.runs.errors import InputError, NybbleError
from nybble.runs.folder import RunFolder, check_output, create_run_folder


def run(
    recipe: Recipe,
    output: Path | None = None,
    replace: bool = False,
    seeds: int = 1,
    judge: bool = True,
) -> RunFolder:
    """Train and evaluate `recipe` into `output` (default runs/NAME-TIME).

    With `seeds` over 1, further adapters are trained with the next seeds on the same split. With
    `judge` off, nothing is evaluated. A run that fails before its first checkpoint leaves nothing.
    """
    check_output(output, replace)
    stage = make_stage(recipe)
    plan = stage.plan(current_device())
    folder = create_run_folder(recipe.name, output, replace, dump_recipe(recipe))
    print(f"run        {recipe.name} into {folder.path}")
    return _guarded(folder, lambda: _work(stage, plan, folder, seeds, judge))


def resume(folder: RunFolder, recipe: Recipe) -> RunFolder:
    """Go on with an interrupted run: from its newest checkpoint, or with its evaluation."""
    if folder.comparison.exists():
        raise InputError(f"{folder.path} is finished.", "See its evaluation/comparison.json.")
    stage = make_stage(recipe)
    plan = stage.plan(current_device())
    if folder.adapter.exists():
        trained = Trained(load_model(stage, plan, folder.adapter), plan, None)
    else:
        checkpoint = folder.newest_checkpoint()
        if checkpoint is None:
            raise InputError(
                f"{folder.path} has no checkpoint to go on from.",
                "Begin anew with `nybble run`; train.save_steps says how often one is written.",
            )
        print(f"resume     {checkpoint}")
        trained = train(stage, plan, folder, checkpoint)
    if judged(recipe):
        evaluate(stage, plan, trained.model, folder)
    return folder


def evaluate_run(folder: RunFolder, recipe: Recipe) -> dict[str, Any]:
    """Evaluate the adapter of an earlier run; its folder counts the reads of its test rows."""
    if not folder.adapter.exists():
        raise InputError(f"{folder.path} has no adapter yet.", "Finish it with `nybble resume`.")
    if not judged(recipe):
        raise InputError(
            "evaluate.task or evaluate.size says that there is nothing to evaluate.",
            "Say for example evaluate.task=number evaluate.size=500.",
        )
    stage = make_stage(recipe)
    plan = stage.plan(current_device())
    return evaluate(stage, plan, load_model(stage, plan, folder.adapter), folder)


def judged(recipe: Recipe) -> bool:
    """Whether the recipe asks for an evaluation."""
    return recipe.evaluate.task is not None and recipe.evaluate.size > 0


def _work(stage: Stage, plan: Plan, folder: RunFolder, seeds: int, judge: bool) -> None:
    device = f"{plan.device} ({plan.device_name})"
    audit = stage.prepared.audit()
    folder.write("environment.json", environment(device) | {"data": audit["fingerprint"]})
    folder.write("plan.json", plan.as_json())
    folder.write("data/audit.json", audit)
    folder.write("data/preview.json", stage.preview())
    rows, tokens = audit["rows"], audit["tokens"]["train"] / audit["rows"]["train"]
    print(f"data       {rows['train']:,} rows to train on, {rows['validation']:,} to validate, "
          f"{rows['test']:,} to test; {tokens:.0f} tokens a row")  # fmt: skip
    print(f"plan       {device}: {plan.reason}")
    trained = train(stage, plan, folder)
    if judge and judged(stage.recipe):
        comparison = evaluate(stage, plan, trained.model, folder)
        if seeds > 1:
            _more_seeds(stage, plan, folder, seeds, comparison)
    elif seeds > 1:
        for seed in _next_seeds(stage, seeds):
            train(stage.with_seed(seed), plan, _seed_folder(folder, seed))


def _more_seeds(
    stage: Stage, plan: Plan, folder: RunFolder, seeds: int, comparison: dict[str, Any]
) -> None:
    """Train the recipe with further seeds: how much does the answer depend on the seed?"""
    from nybble.evaluation import seed_spread

    errors = {stage.recipe.train.seed: float(comparison["tuned"]["value"])}
    for seed in _next_seeds(stage, seeds):
        print(f"seed       {seed}")
        other = stage.with_seed(seed)
        seed_folder = _seed_folder(folder, seed)
        trained = train(other, plan, seed_folder)
        examiner = Examiner(other, plan)
        asked = examiner.ask(TUNED, trained.model)
        examiner.save(seed_folder, "tuned", asked)
        difference = abs(examiner.filled(asked) - examiner.questions.truth)
        errors[seed] = float(difference.mean())
    spread = seed_spread(list(errors.values()))
    by_seed = {str(seed): error for seed, error in errors.items()}
    folder.write("evaluation/seeds.json", {"metric": "mae", "by_seed": by_seed, **spread})
    listed = ", ".join(f"{error:.2f} (seed {seed})" for seed, error in errors.items())
    print(f"seeds      error {spread['mean']:.2f} on average, standard deviation "
          f"{spread['sd']:.2f} over {seeds} seeds: {listed}")  # fmt: skip


def _next_seeds(stage: Stage, seeds: int) -> list[int]:
    first = stage.recipe.train.seed
    return list(range(first + 1, first + seeds))


def _seed_folder(folder: RunFolder, seed: int) -> RunFolder:
    path = folder.path / "seeds" / f"seed-{seed}"
    path.mkdir(parents=True)
    return RunFolder(path)


def _guarded(folder: RunFolder, work: Callable[[], None]) -> RunFolder:
    try:
        work()
    except (NybbleError, OSError, KeyboardInterrupt):
        folder.discard_if_empty_handed()
        raise
    return folder
