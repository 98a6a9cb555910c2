"""The work of a run: what needs torch, and so seconds to import."""

from pathlib import Path
from typing import Any

from nybble.evaluation import seed_spread
from nybble.model.device import current_device
from nybble.pipeline.environment import environment
from nybble.pipeline.evaluate import TUNED, Examiner, evaluate
from nybble.pipeline.stage import Stage
from nybble.pipeline.train import load_model, train
from nybble.planner.plan import Plan
from nybble.runs.folder import RunFolder


def plan_here(stage: Stage) -> Plan:
    """The plan of `stage` on this machine's device."""
    return stage.plan(current_device())


def work(stage: Stage, plan: Plan, folder: RunFolder, seeds: int) -> None:
    """Train into `folder`, judge where the recipe asks for it, then the further seeds."""
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
    if stage.judged:
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


def go_on(stage: Stage, plan: Plan, folder: RunFolder, checkpoint: Path) -> None:
    """Train from `checkpoint` to the end, then judge."""
    print(f"resume     {checkpoint}")
    trained = train(stage, plan, folder, checkpoint)
    if stage.judged:
        evaluate(stage, plan, trained.model, folder)


def judge(stage: Stage, plan: Plan, folder: RunFolder) -> dict[str, Any]:
    """Judge the adapter that lies in `folder`."""
    return evaluate(stage, plan, load_model(stage, plan, folder.adapter), folder)
