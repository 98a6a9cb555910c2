import json
import shutil
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from nybble.cli.main import app

BUNDLED = Path(str(resources.files("nybble.mini") / "model"))
ROWS = [{"prompt": f"Is {n} even?", "completion": "no" if n % 2 else "yes"} for n in range(30)]


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty folder to work in; what is asked for is relative to it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nybble(work):
    def call(*arguments: str):
        return CliRunner().invoke(app, list(arguments), prog_name="nybble")

    return call


@pytest.fixture
def refused(nybble, work):
    """Runs a command that must be refused: two lines, exit code 2, nothing left behind."""

    def listing():
        return sorted((str(p), p.stat().st_size) for p in work.rglob("*"))

    def call(*arguments: str):
        before = listing()
        result = nybble(*arguments)
        assert isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == 2
        assert listing() == before
        lines = result.stderr.splitlines()
        assert len(lines) == 2, result.stderr
        return SimpleNamespace(message=lines[0], fix=lines[1])

    return call


@pytest.fixture
def recipe(work):
    """Writes recipe.yaml for rows in a file of their own; gives back its path."""

    def write(text: str | None = None, model: str = "bundled:mini") -> str:
        if text is None:
            text = "".join(json.dumps(row) + "\n" for row in ROWS)
        (work / "rows.jsonl").write_text(text, encoding="utf-8")
        (work / "recipe.yaml").write_text(
            f"name: mine\nmodel: {{base: '{model}'}}\n"
            "data: {train: rows.jsonl, validation: 5, test: 5}\n"
        )
        return "recipe.yaml"

    return write


@pytest.fixture
def model(work):
    """Makes a copy of the bundled model, without some files and with others replaced."""

    def make(*without: str, **replaced: bytes) -> str:
        folder = work / "model"
        folder.mkdir()
        for path in BUNDLED.iterdir():
            if path.name not in without:
                shutil.copyfile(path, folder / path.name)
        for name, content in replaced.items():
            (folder / name.replace("_safetensors", ".safetensors")).write_bytes(content)
        return str(folder)

    return make


@pytest.fixture(scope="session")
def mini_tokenizer():
    from nybble.data.tokenizer import load_tokenizer

    return load_tokenizer(BUNDLED)
