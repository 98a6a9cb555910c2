import os

import pytest

from nybble.pipeline import train as training

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("wanted", [False, True])
def test_a_training_that_is_to_be_deterministic_is_one(monkeypatch, stage, plan, wanted) -> None:
    import torch

    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    part = stage.recipe.train.model_copy(update={"deterministic": wanted})
    changed = stage.recipe.model_copy(update={"train": part})
    seen = []

    def look(*rest) -> None:
        seen.append(
            (torch.are_deterministic_algorithms_enabled(), "CUBLAS_WORKSPACE_CONFIG" in os.environ)
        )

    monkeypatch.setattr(training, "_train", look)
    from dataclasses import replace

    training.train(replace(stage, recipe=changed), plan, None)
    assert seen == [(wanted, wanted)]
    assert not torch.are_deterministic_algorithms_enabled()
