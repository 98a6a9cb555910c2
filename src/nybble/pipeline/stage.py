"""What the steps of a run hand each other."""

import datetime
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nybble.data.prepare import Prepared, prepare, read_splits
from nybble.data.render import Renderer
from nybble.data.tokenizer import load_tokenizer
from nybble.planner.device import Device
from nybble.planner.plan import Plan, make_plan
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError
from nybble.sources import check_adapter, check_model, locate_adapter, locate_model
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
        return self.recipe.evaluate.task is not None and self.recipe.evaluate.size > 0

    @property
    def base_reference(self) -> str:
        """What an adapter names as its base: something that plain PEFT can load."""
        hub = "/" in self.recipe.model.base and not Path(self.recipe.model.base).exists()
        return self.recipe.model.base if hub else str(self.model_folder.resolve())

    def plan(self, device: Device) -> Plan:
        """The plan on `device`, from the model's config.json and the longest prepared row."""
        config = json.loads((self.model_folder / "config.json").read_text(encoding="utf-8"))
        rows = [*self.prepared.train, *self.prepared.validation]
        return make_plan(self.recipe, config, device, max(len(row.input_ids) for row in rows))

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
    check_evaluation(recipe, len(splits.test))
    today = recipe.data.date or datetime.date.today()
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"date": today})})
    renderer = Renderer(load_tokenizer(folder, recipe.model.trust_remote_code), today)
    with watch("preparing rows", len(splits.train) + len(splits.validation)) as bar:
        prepared = prepare(splits, recipe.data, renderer, lambda done, _: bar.update(done))
    return Stage(recipe, folder, adapter, renderer, prepared)


def check_evaluation(recipe: Recipe, test_rows: int) -> None:
    """Refuse an evaluation that could not be run, before anything is trained."""
    if recipe.evaluate.task is None or recipe.evaluate.size == 0:
        return
    if test_rows < 2:
        raise InputError(
            f"data.test gives {test_rows} rows: nothing to evaluate on.",
            "Give data.test at least 2 rows, or skip the evaluation with evaluate.size=0.",
        )
