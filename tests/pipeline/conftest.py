import json
from pathlib import Path

import pytest

STEPS = ["train.max_steps=6", "train.save_steps=3", "train.eval_steps=3", "data.limit=700",
         "data.validation=50", "data.test=60", "evaluate.size=60"]  # fmt: skip


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A short demo, run whole."""
    import nybble

    folder = tmp_path_factory.mktemp("runs") / "demo"
    return nybble.run("price-demo", output=folder, overrides=STEPS)


@pytest.fixture(scope="session")
def comparison(finished: Path) -> dict:
    return json.loads((finished / "evaluation" / "comparison.json").read_text())
