"""The training step of a run: load, adapt, train, save the adapter."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nybble.data.batches import StepBatch, StepLoader, make_step
from nybble.data.packing import Layout
from nybble.engine.step import TrainStep
from nybble.engine.team import team_here
from nybble.export.inference_files import write_inference_files
from nybble.generation.greedy import stop_ids
from nybble.model.adapted import ADAPTER
from nybble.model.adapters import attach_adapters, load_adapters, trainable_parameters
from nybble.model.load import load_base
from nybble.model.whole import load_whole
from nybble.pipeline.judging import judge_for
from nybble.pipeline.stage import Stage
from nybble.pipeline.watching import watchers_for
from nybble.planner.plan import Plan
from nybble.runs.atomic import new_folder
from nybble.runs.folder import RunFolder
from nybble.training.checkpoint import save_trained
from nybble.training.determinism import deterministic
from nybble.training.identity import identity_of
from nybble.training.ledger import TrainResult
from nybble.training.loop import Trainer
from nybble.training.processes import agree, of_first


@dataclass(frozen=True)
class Trained:
    """A model with its trained adapters on it, or trained whole."""

    model: Any
    plan: Plan
    result: TrainResult | None


def load_model(stage: Stage, plan: Plan, trained: Path | None) -> Any:
    """The base with new adapters, or with the ones in `trained`.

    Where the recipe asks for no adapters, the whole model: the base's, or the one in `trained`.
    """
    recipe = stage.recipe
    if recipe.lora is None:
        return load_whole(stage.model_folder, recipe.model, plan, trained)
    base = load_base(stage.model_folder, recipe.model, plan)
    if trained:
        model = load_adapters(base, trained, stage.new_token_ids)
    else:
        model = attach_adapters(base, recipe.lora, recipe.train.seed, stage.new_token_ids)
    model.peft_config[ADAPTER].revision = stage.base_revision
    return model


def train(stage: Stage, plan: Plan, folder: RunFolder, checkpoint: Path | None = None) -> Trained:
    """Train `stage` into `folder`, from the start or from `checkpoint`, and save its adapter."""
    with deterministic(stage.recipe.train.deterministic):
        return _train(stage, plan, folder, checkpoint)


def _train(stage: Stage, plan: Plan, folder: RunFolder, checkpoint: Path | None) -> Trained:
    # Packs are shared out, so they must be the same in all processes.
    plan = replace(plan, micro_batch_tokens=of_first("pack", plan.micro_batch_tokens))
    model = load_model(stage, plan, stage.adapter_folder)
    parameters = trainable_parameters(model)
    count = sum(parameter.numel() for parameter in parameters.values())
    recipe = stage.recipe
    what = "parameters, all of them trained" if recipe.lora is None else "adapter parameters"
    print(f"model      {recipe.model.base}, {recipe.model.quantization}; "
          f"{count:,} {what} in fp32, compute in {plan.compute_dtype}")  # fmt: skip
    train_step = TrainStep(model, plan, recipe.train.seed, team_here())
    if train_step.why_stock:
        print(f"engine     the stock model is run, more slowly: {train_step.why_stock}")
    trainer = Trainer(
        model=model,
        train_step=train_step,
        loader=StepLoader(
            rows=stage.prepared.train,
            batch_size=recipe.train.batch_size,
            seed=recipe.train.seed,
            layout=train_step.layout,
            batch_tokens=recipe.train.batch_tokens,
        ).fitted(),
        validation=validation_steps(stage, train_step.layout),
        part=recipe.training,
        folder=folder,
        fingerprint=stage.prepared.fingerprint,
        base=stage.base_reference,
        watchers=watchers_for(stage, plan, folder) if train_step.team.leads else (),
        identity=identity_of(recipe),
        decode=stage.tokenizer.decode,
        judge=judge_for(stage, plan, model),
    )
    agree({
        "recipe": recipe.model_dump(mode="json", include={"model", "lora", "train"}),
        "training set": stage.prepared.fingerprint,
        "number of steps": trainer.total,
        "checkpoint": checkpoint.name if checkpoint else None,
        "kind of device": f"{plan.device} in {plan.compute_dtype}",
    })  # fmt: skip
    result = trainer.run(checkpoint)
    if not train_step.team.leads:
        return Trained(model, plan, result)
    with new_folder(folder.model if recipe.lora is None else folder.adapter) as scratch:
        save_trained(model, scratch, stage.base_reference)
        stops = stop_ids(model, stage.tokenizer)
        write_inference_files(stage.tokenizer, stops, stage.model_folder, scratch)
    print(f"trained    {told(result, trainer)}")
    return Trained(model, plan, result)


def told(result: TrainResult, trainer: Trainer) -> str:
    """How the training went, in a line."""
    parts = [f"{result.steps:,} steps in {result.seconds:.0f} s"]
    metric, patience = trainer.part.metric_for_best_model, trainer.part.early_stopping_patience
    if result.stopped_early:
        parts.append(f"stopped early, as {metric} was no better {patience} times in a row")
    if trainer.part.load_best_model_at_end:
        best = "the best" if result.adapter_step == trainer.best.step else "not the best"
        parts.append(f"the adapter is step {result.adapter_step:,}'s, {best} by {metric}")
    if result.validation_loss is not None:
        parts.append(f"validation loss {result.validation_loss:.4f}")
    return f"{', '.join(parts)}; {result.padded_share:.1%} of the tokens computed were padding"


def validation_steps(stage: Stage, layout: Layout) -> list[StepBatch]:
    """All validation rows as one batch, or none where there are no rows."""
    rows = stage.prepared.validation
    if not rows:
        return []
    return [make_step(rows, range(len(rows)), layout)]
