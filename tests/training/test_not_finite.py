"""A step that is not finite: nothing of it is learnt, and what was before is kept."""

import json

import pytest
import torch

from nybble.model.adapters import trainable_parameters
from nybble.runs.atomic import read_json_lines
from nybble.runs.errors import NybbleError
from nybble.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow
BAD = 3


def poison(run, what: str) -> None:
    """Make loss and gradients NaN at the third step, or the gradients alone."""
    step = type(run.train_step).__call__

    class Poisoned(type(run.train_step)):  # type: ignore[misc]
        def __call__(self, batch, number, scale=1.0):
            loss = step(self, batch, number, scale)
            if number + 1 == BAD:
                self.parameters[3].grad[0, 0] = float("nan")
                loss = loss * float("nan") if what == "loss" else loss
            return loss

    run.train_step.__class__ = Poisoned


def state(run) -> list[torch.Tensor]:
    """Adapters and moments."""
    found = []
    for parameter in trainable_parameters(run.model).values():
        moments = run.update.optimizer.state[parameter]
        found += [parameter.detach().clone(), *(moments[key].clone() for key in sorted(moments))]
    return found


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_was_before_is_saved_and_the_rows_are_told(make_trainer, tmp_path, what) -> None:
    """Also where nothing had been saved yet, and another step was queued already."""
    run = make_trainer(tmp_path / "run", save_steps=0, eval_steps=0)
    poison(run, what)
    with pytest.raises(NybbleError, match=f"The {what} of step 3 is not finite") as told:
        run.run()
    assert "checkpoint-2 holds the adapters from before" in told.value.fix
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert checkpoint.name == "checkpoint-2"
    short = make_trainer(tmp_path / "short", save_steps=2, eval_steps=0)
    short.run()
    load_checkpoint(
        tmp_path / "short" / "checkpoints" / "checkpoint-2", short.model, short.update.optimizer
    )
    assert all(torch.equal(a, b) for a, b in zip(state(run), state(short), strict=True))
    rows = json.loads((tmp_path / "run" / "not_finite.json").read_text())
    assert (rows["step"], len(rows["rows"])) == (3, 4)


def test_skipped_steps_are_marked(make_trainer, tmp_path) -> None:
    run = make_trainer(tmp_path, on_nan="skip", logging_steps=100)
    poison(run, "gradient")
    assert run.run().steps == 6
    lines = [line for line in read_json_lines(tmp_path / "metrics.jsonl") if "loss" in line]
    assert [(line["step"], "skipped" in line) for line in lines] == [(3, True), (6, False)]
    assert all(torch.isfinite(value).all() for value in state(run))
