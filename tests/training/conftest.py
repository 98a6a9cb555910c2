"""A trainer of the bundled model on a few rows of the small demo."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nybble.recipe.train_part import TrainPart

PART = TrainPart(max_steps=6, batch_size=4, learning_rate=1e-3, save_steps=3, eval_steps=2)


@pytest.fixture
def make_trainer(stage, plan) -> Callable[..., Any]:
    """A Trainer with dropout into a folder; `fields` are of train, `planned` of the plan."""

    def make(path: Path, judge=None, rows: int = 16, planned: Any = (), **fields: Any):
        from dataclasses import replace

        import torch

        from nybble.data.batches import StepLoader, make_step
        from nybble.engine.step import TrainStep
        from nybble.pipeline.train import load_model
        from nybble.runs.folder import RunFolder
        from nybble.training.loop import Trainer

        path.mkdir(exist_ok=True)
        part = PART.model_copy(update=fields)
        model = load_model(stage, plan, None)
        for layer in (m for m in model.modules() if hasattr(m, "lora_dropout")):
            layer.lora_dropout["default"] = torch.nn.Dropout(0.1)
        here = replace(plan, **dict(planned))
        step = TrainStep(model, here, 1)
        loader = StepLoader(
            stage.prepared.train[:rows], part.batch_size, 1, step.layout, part.batch_tokens
        )
        validation = make_step(stage.prepared.validation[:8], range(8), step.layout)
        return Trainer(
            model, step, loader, [validation], part, RunFolder(path), "rows", "bundled",
            judge=judge,
        )  # fmt: skip

    return make
