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


@pytest.fixture(scope="session")
def chatty(tmp_path_factory) -> Path:
    """A run on conversations, trained for a step: what it says does not matter."""
    import nybble

    folder = tmp_path_factory.mktemp("chatty")
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]
    rows = "".join(json.dumps({"messages": turns}) + "\n" for _ in range(12))
    (folder / "rows.jsonl").write_text(rows)
    (folder / "recipe.yaml").write_text(
        "name: chatty\nmodel: {base: 'bundled:mini'}\n"
        f"data: {{train: '{folder / 'rows.jsonl'}', validation: 2, test: 2}}\n"
        "train: {max_steps: 1, batch_size: 4}\n"
    )
    return nybble.run(str(folder / "recipe.yaml"), output=folder / "run")
