"""The work of a run: what needs torch, and so seconds to import."""

from dataclasses import replace
from typing import Any

from nybble.data.leakage import repeats_line
from nybble.data.truncate import cut_line
from nybble.evaluation.contender import Contender
from nybble.model.device import current_device
from nybble.pipeline.environment import environment
from nybble.pipeline.evaluate import (
    TUNED,
    answers_kept,
    evaluate,
    on_test_rows,
)
from nybble.pipeline.judged_files import save_answers
from nybble.pipeline.look import measured
from nybble.pipeline.seeds import (
    SCORES,
    ask_for,
    folder_of,
    forget_judged,
    further_seeds,
    write_scores,
    write_spread,
)
from nybble.pipeline.stage import Stage
from nybble.pipeline.train import load_model, train
from nybble.planner.plan import Plan
from nybble.runs.folder import RunFolder
from nybble.training.checkpoint import check_recipe
from nybble.training.good import newest_good
from nybble.training.identity import identity_of


def plan_here(stage: Stage) -> Plan:
    """The plan of `stage` on this machine's device."""
    return stage.plan(current_device())


def plan_as_begun(stage: Stage, folder: RunFolder) -> Plan:
    """The plan to go on with: where bits count, the micro-batches that the run was begun with.

    Other ones, of other free memory, would change the last bits of what is learnt.
    """
    here, begun = plan_here(stage), folder.read("plan.json")
    bits_count = here.device == "cpu" or stage.recipe.train.deterministic
    if not bits_count or here.device_name != begun["device_name"]:
        return here
    parts = ("micro_batch_tokens", "recompute_layers", "lean_layers", "attention_layers")
    return replace(here, **{name: begun[name] for name in parts if name in begun})


def begin(stage: Stage, plan: Plan, folder: RunFolder, seeds: int) -> None:
    """Write down what the run is about to do, then do it."""
    device = f"{plan.device} ({plan.device_name})"
    audit = stage.prepared.audit()
    folder.write("environment.json", environment(device) | {"data": audit["fingerprint"]})
    folder.write("plan.json", plan.as_json())
    folder.write("data/audit.json", audit)
    folder.write("data/preview.json", stage.preview())
    lengths = measured(stage.recipe, stage.prepared, None, stage.renderer)
    folder.write("data/lengths.json", lengths)
    ask_for(folder, stage.recipe.train.seed, seeds)
    rows, tokens = audit["rows"], audit["tokens"]["train"] / audit["rows"]["train"]
    print(f"data       {rows['train']:,} rows to train on, {rows['validation']:,} to validate, "
          f"{rows['test']:,} to test; {tokens:.0f} tokens a row")  # fmt: skip
    for line in (repeats_line(audit["repeats"]), cut_line(audit["cut_rows"])):
        if line:
            print(f"data       {line}")
    print(f"plan       {device}: {plan.reason}")
    finish(stage, plan, folder)


def finish(stage: Stage, plan: Plan, folder: RunFolder) -> None:
    """Do what is not done yet: train, judge where the recipe asks for it, the further seeds."""
    if not stage.judged:
        _train(stage, plan, folder)
    elif not folder.comparison.exists():
        evaluate(stage, plan, _trained(stage, plan, folder), folder)
    for seed in further_seeds(folder):
        print(f"seed       {seed}")
        other, seed_folder = stage.with_seed(seed), folder_of(folder, seed)
        if not stage.judged:
            _train(other, plan, seed_folder)
        elif not (seed_folder.path / SCORES).is_file():
            # Only one model is in memory at a time: each is let go when its function ends.
            _examine(other, plan, seed_folder)
    if stage.judged and further_seeds(folder):
        print(f"seeds      {write_spread(folder, stage.recipe.train.seed)}")


def _train(stage: Stage, plan: Plan, folder: RunFolder) -> None:
    """Train into `folder`, from its newest checkpoint where it has one, unless that was done."""
    if not folder.trained.exists():
        _trained(stage, plan, folder)


def _trained(stage: Stage, plan: Plan, folder: RunFolder) -> Any:
    """The trained model of `folder`: loaded where the training had ended."""
    checkpoint = newest_good(folder.checkpoints)
    if folder.trained.exists():
        if checkpoint:
            check_recipe(checkpoint, identity_of(stage.recipe))
        return load_model(stage, plan, folder.trained)
    if checkpoint:
        print(f"resume     {checkpoint}")
    return train(stage, plan, folder, checkpoint).model


def _examine(stage: Stage, plan: Plan, folder: RunFolder) -> None:
    """The answers of a further seed's model, and what they score."""
    model = _trained(stage, plan, folder)
    examiner = on_test_rows(stage, plan)
    cache = answers_kept(folder, stage, plan, model, adapted=True)
    tuned = Contender(TUNED, "tuned", examiner.judge(examiner.ask(TUNED, model, cache=cache)))
    save_answers(folder, "tuned", tuned)
    write_scores(folder, tuned, examiner.task.metric)


def judge(stage: Stage, plan: Plan, folder: RunFolder) -> dict[str, Any]:
    """Judge what was trained into `folder`, also with further seeds."""
    seeds = further_seeds(folder)
    if seeds:
        forget_judged(folder)
    comparison = evaluate(stage, plan, load_model(stage, plan, folder.trained), folder)
    for seed in seeds:
        print(f"seed       {seed}")
        _examine(stage.with_seed(seed), plan, folder_of(folder, seed))
    if seeds:
        print(f"seeds      {write_spread(folder, stage.recipe.train.seed)}")
    return comparison
