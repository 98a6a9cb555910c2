"""What the steps of a run hand each other."""

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nybble.data.cache import prepare_once
from nybble.data.corpus import read_splits
from nybble.data.examples import Example
from nybble.data.prepare import Prepared
from nybble.data.preview import preview
from nybble.data.render import Renderer
from nybble.data.store import StoreWriter
from nybble.data.tokenizer import load_tokenizer
from nybble.data.truncate import cut_splits
from nybble.evaluation.task import Task
from nybble.pipeline.questions import draw_shots, prompts
from nybble.pipeline.truths import check_measured, read_task
from nybble.planner.device import Device
from nybble.planner.plan import Plan, make_plan
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError
from nybble.sources import find_adapter, find_model, parse_reference
from nybble.sources.adapter_fields import check_lora_fields
from nybble.sources.lazy import View
from nybble.training.progress import watch


@dataclass(frozen=True)
class Stage:
    """Everything that is known before weights are loaded. `task` is None where none is judged."""

    recipe: Recipe
    model_folder: Path
    adapter_folder: Path | None
    renderer: Renderer
    prepared: Prepared
    task: Task | None = None

    @property
    def tokenizer(self) -> Any:
        return self.renderer.tokenizer

    @property
    def new_token_ids(self) -> list[int]:
        """The ids of `model.new_tokens`."""
        tokens = self.recipe.model.new_tokens
        return [int(i) for i in self.tokenizer.convert_tokens_to_ids(tokens)]

    @property
    def judged(self) -> bool:
        """Whether the recipe asks for an evaluation."""
        return judged(self.recipe)

    @property
    def base_reference(self) -> str:
        """What an adapter names as its base: something that plain PEFT can load."""
        reference = parse_reference(self.recipe.model.base)
        return reference.name if reference.kind == "hub" else str(self.model_folder.resolve())

    @property
    def base_revision(self) -> str | None:
        """The revision of that base, where it is not what plain PEFT takes anyhow."""
        part = self.recipe.model
        reference = parse_reference(part.base)
        revision = reference.revision_or(part.revision)
        return revision if reference.kind == "hub" and revision != "main" else None

    @property
    def shots(self) -> list[Example]:
        """Rows to show in the baseline's prompt, of those that the tuned model learns from.

        None where losses are compared: the model that is scored is asked nothing.
        """
        if self.recipe.evaluate.task == "loss":
            return []
        train = self.prepared.splits.train
        if any(drop.part == "train" for drop in self.prepared.drops):
            trained_on = set(self.prepared.train.numbers.tolist())
            train = View(train, (i for i, row in enumerate(train) if row.number in trained_on))
        return draw_shots(train, self.recipe.evaluate.few_shot, self.recipe.train.seed)

    @property
    def config(self) -> dict[str, Any]:
        """The model's config.json."""
        config: dict[str, Any]
        config = json.loads((self.model_folder / "config.json").read_text(encoding="utf-8"))
        return config

    def plan(self, device: Device) -> Plan:
        """The plan on `device`, from the model's config.json and the longest prepared row."""
        longest = max(self.prepared.train.longest, self.prepared.validation.longest)
        return make_plan(self.recipe, self.config, device, longest)

    def preview(self, rows: int = 3) -> list[dict[str, Any]]:
        """The first training rows token by token: the token's text, and whether it is scored."""
        return preview(self.prepared.train[:rows], self.tokenizer)

    def with_seed(self, seed: int) -> "Stage":
        """The same data, split as before, for a training with another seed."""
        train = self.recipe.train.model_copy(update={"seed": seed})
        return replace(self, recipe=self.recipe.model_copy(update={"train": train}))


def make_stage(recipe: Recipe) -> Stage:
    """Fetch, check and prepare everything that `recipe` names. Loads no weights.

    Writes no file outside the cache.
    Raises `InputError` for whatever is wrong with the model's folder or the data. Rows are read
    before transformers is imported: a missing file is told at once.
    """
    splits = read_splits(recipe)
    folder = find_model(recipe.model.base, recipe.model.revision, recipe.model.trust_remote_code)
    adapter = None
    if recipe.model.adapter and recipe.lora is not None:
        adapter = find_adapter(recipe.model.adapter)
        check_lora_fields(recipe.lora, adapter)
    task = read_task(splits, recipe.data, recipe.evaluate) if judged(recipe) else None
    if task is not None:
        check_measured(recipe.train, task)
    today = recipe.data.date or datetime.date.today()
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"date": today})})
    part = recipe.model
    tokenizer = load_tokenizer(
        folder, part.trust_remote_code, recipe.data.chat_template, part.new_tokens
    )
    renderer = Renderer(tokenizer, today)
    splits = cut_splits(splits, recipe.data, renderer)
    total = len(splits.train) + len(splits.validation)
    with watch("preparing rows", total) as bar:
        prepared, cached = prepare_once(
            splits, recipe.data, renderer, lambda done, _: bar.update(done)
        )
        if cached:
            bar.update(total, "from cache")
    stage = Stage(recipe, folder, adapter, renderer, prepared, task)
    check_context(stage)
    return stage


def asking_stage(recipe: Recipe, task: Task) -> Stage:
    """As `make_stage`, of a model that is only asked: no training row becomes tokens."""
    splits = read_splits(recipe)
    part = recipe.model
    folder = find_model(part.base, part.revision, part.trust_remote_code)
    tokenizer = load_tokenizer(
        folder, part.trust_remote_code, recipe.data.chat_template, part.new_tokens
    )
    renderer = Renderer(tokenizer, recipe.data.date or datetime.date.today())
    none = StoreWriter().finish()
    prepared = Prepared(none, none, cut_splits(splits, recipe.data, renderer), [])
    stage = Stage(recipe, folder, None, renderer, prepared, task)
    check_context(stage)
    return stage


def judged(recipe: Recipe) -> bool:
    """Whether the recipe asks for an evaluation."""
    return recipe.evaluate.task is not None and recipe.evaluate.size > 0


def check_context(stage: Stage) -> None:
    """Refuse rows and questions that hold more tokens than the model reads, or none at all."""
    context = stage.config.get("max_position_embeddings") or stage.config.get("n_positions")
    for rows in (stage.prepared.train, stage.prepared.validation):
        if context and rows.longest > context:
            row = rows[int((rows.lengths > context).argmax())]
            raise InputError(
                f"{stage.recipe.data.train_name}: row {row.number} is {len(row.input_ids):,} "
                f"tokens long, the model reads at most {context:,}.",
                f"Say data.max_length={context}: longer rows are left out and listed.",
            )
    if not stage.judged:
        return
    part = stage.recipe.evaluate
    splits = stage.prepared.splits
    _check_questions(stage, "test", splits.test[: part.size], stage.shots, context)
    asked = part.during_training if len(stage.prepared.train) else 0
    _check_questions(stage, "validation", splits.validation[:asked], [], context)


def _check_questions(
    stage: Stage, name: str, examples: Sequence[Example], shots: list[Example], context: int | None
) -> None:
    """Refuse a question that leaves no room for its answer in `context` tokens, or is none."""
    part = stage.recipe.evaluate
    fewer = f"evaluate.few_shot (now {part.few_shot}) or " if shots else ""
    for example, ids in zip(examples, prompts(examples, stage.renderer, shots), strict=True):
        if not ids:
            raise InputError(f"{name} row {example.number}: the prompt is empty.", "Mend the row.")
        if context and len(ids) + part.max_new_tokens > context:
            raise InputError(
                f"{name} row {example.number}: its prompt with {len(shots)} examples and the "
                f"answer take {len(ids) + part.max_new_tokens:,} tokens, the model reads at most "
                f"{context:,}.",
                f"Lower {fewer}evaluate.max_new_tokens (now {part.max_new_tokens}).",
            )
