"""What the steps of a run hand each other."""

import datetime
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nybble.data.examples import Example
from nybble.data.prepare import Prepared, prepare, read_splits
from nybble.data.render import Renderer
from nybble.data.tokenizer import load_tokenizer
from nybble.pipeline.questions import check_truths, draw_shots, prompts
from nybble.planner.device import Device
from nybble.planner.plan import Plan, make_plan
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError
from nybble.sources import (
    check_adapter,
    check_model,
    locate_adapter,
    locate_model,
    parse_reference,
)
from nybble.training.progress import watch


@dataclass(frozen=True)
class Stage:
    """Everything that is known before weights are loaded."""

    recipe: Recipe
    model_folder: Path
    adapter_folder: Path | None
    renderer: Renderer
    prepared: Prepared

    @property
    def tokenizer(self) -> Any:
        return self.renderer.tokenizer

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
    def shots(self) -> list[Example]:
        """Rows to show in the baseline's prompt, of those that the tuned model learns from."""
        trained_on = {row.number for row in self.prepared.train}
        rows = [row for row in self.prepared.splits.train if row.number in trained_on]
        return draw_shots(rows, self.recipe.evaluate.few_shot, self.recipe.train.seed)

    @property
    def config(self) -> dict[str, Any]:
        """The model's config.json."""
        config: dict[str, Any]
        config = json.loads((self.model_folder / "config.json").read_text(encoding="utf-8"))
        return config

    def plan(self, device: Device) -> Plan:
        """The plan on `device`, from the model's config.json and the longest prepared row."""
        rows = [*self.prepared.train, *self.prepared.validation]
        return make_plan(self.recipe, self.config, device, max(len(row.input_ids) for row in rows))

    def preview(self, rows: int = 3) -> list[dict[str, Any]]:
        """The first training rows token by token: the token's text, and whether it is scored."""
        return [
            {
                "source_row": row.number,
                "input_ids": row.input_ids,
                "scored": row.scored,
                "tokens": [self.tokenizer.decode([i]) for i in row.input_ids],
                "special": [i in self.tokenizer.all_special_ids for i in row.input_ids],
            }
            for row in self.prepared.train[:rows]
        ]

    def with_seed(self, seed: int) -> "Stage":
        """The same data, split as before, for a training with another seed."""
        train = self.recipe.train.model_copy(update={"seed": seed})
        return replace(self, recipe=self.recipe.model_copy(update={"train": train}))


def make_stage(recipe: Recipe) -> Stage:
    """Fetch, check and prepare everything that `recipe` names. Loads no weights, writes no file.

    Raises `InputError` for whatever is wrong with the model's folder or the data. Rows are read
    before transformers is imported: a missing file is told at once.
    """
    splits = read_splits(recipe)
    folder = locate_model(recipe.model.base, recipe.model.revision, recipe.model.trust_remote_code)
    check_model(folder)
    adapter = None
    if recipe.model.adapter:
        adapter = locate_adapter(recipe.model.adapter, "main")
        check_adapter(adapter)
    if judged(recipe):
        check_truths(splits, recipe.data, recipe.evaluate)
    today = recipe.data.date or datetime.date.today()
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"date": today})})
    renderer = Renderer(load_tokenizer(folder, recipe.model.trust_remote_code), today)
    with watch("preparing rows", len(splits.train) + len(splits.validation)) as bar:
        prepared = prepare(splits, recipe.data, renderer, lambda done, _: bar.update(done))
    stage = Stage(recipe, folder, adapter, renderer, prepared)
    check_context(stage)
    return stage


def judged(recipe: Recipe) -> bool:
    """Whether the recipe asks for an evaluation."""
    return recipe.evaluate.task is not None and recipe.evaluate.size > 0


def check_context(stage: Stage) -> None:
    """Refuse rows and questions that hold more tokens than the model reads, or none at all."""
    context = stage.config.get("max_position_embeddings") or stage.config.get("n_positions")
    for row in [*stage.prepared.train, *stage.prepared.validation]:
        if context and len(row.input_ids) > context:
            raise InputError(
                f"{stage.recipe.data.train}: row {row.number} is {len(row.input_ids):,} tokens "
                f"long, the model reads at most {context:,}.",
                f"Say data.max_length={context}: longer rows are left out and listed.",
            )
    if not stage.judged:
        return
    part, shots = stage.recipe.evaluate, stage.shots
    test = stage.prepared.splits.test[: part.size]
    for example, ids in zip(test, prompts(test, stage.renderer, shots), strict=True):
        if not ids:
            raise InputError(f"test row {example.number}: the prompt is empty.", "Mend the row.")
        if context and len(ids) + part.max_new_tokens > context:
            raise InputError(
                f"test row {example.number}: its prompt with {len(shots)} examples and the answer "
                f"take {len(ids) + part.max_new_tokens:,} tokens, the model reads at most "
                f"{context:,}.",
                f"Lower evaluate.few_shot (now {part.few_shot}) or evaluate.max_new_tokens (now "
                f"{part.max_new_tokens}).",
            )
