"""Every command in the documentation: parsed by the command line, and carried out on stand-ins."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from nybble.cli.main import app
from nybble.recipe import catalogue_names, load_recipe

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
JOURNEYS = ("mbpp-coder", "python-style", "finetome-chat", "llama-kaggle", "price")
# They talk to a person or to the Hub, say what this machine lacks, or need an interrupted run.
ONLY_PARSED = ("chat", "doctor", "push", "resume")
TAKE_A_RECIPE = ("run", "train", "fetch", "inspect", "data")
BASES = {load_recipe(name).model.base for name in catalogue_names()}
SHORT = ["model.base=bundled:mini", "data.max_length=2048", "train.max_steps=1"]
SMALL_DEMO = ["data.limit=300", "data.validation=20", "data.test=10", "evaluate.size=10",
              "train.max_steps=1"]  # fmt: skip


def commands(page: Path) -> list[list[str]]:
    """The arguments of every line in a fenced block that begins with `nybble`."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    found = [line for block in blocks for line in block.splitlines() if line.startswith("nybble ")]
    return [shlex.split(line, comments=True)[1:] for line in found]


ALL = [(page, command) for page in PAGES for command in commands(page)]


def parsed(arguments: list[str]) -> click.Context:
    """The context of the verb that the arguments name; raises what the command line would."""
    command = typer.main.get_command(app)
    context = command.make_context("nybble", list(arguments))
    rest = [*context._protected_args, *context.args]
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        rest = [*context._protected_args, *context.args]
    return context


def without_redirection(command: list[str]) -> list[str]:
    return command[: command.index(">")] if ">" in command else command


def test_commands_are_found():
    assert {page.stem for page, _ in ALL} >= {*JOURNEYS, "recipes", "README"}


@pytest.mark.parametrize(("page", "command"), ALL, ids=[" ".join(c) for _, c in ALL])
def test_the_command_line_takes_the_command(page, command):
    values = parsed(without_redirection(command)).params
    overrides = values.get("overrides") or []
    if "recipe" in values:
        load_recipe(values["recipe"], overrides)
    for value in overrides:
        assert "=" in value


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_links_and_recipes_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (page.parent / target).is_file(), target


def test_every_journey_has_a_page_that_the_index_names():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for name in JOURNEYS:
        assert f"(journeys/{name}.md)" in index
    assert {page.stem for page in (DOCS / "journeys").glob("*.md")} == set(JOURNEYS)


class Traveller:
    """Carries out a page's commands in an empty folder.

    The rows are stand-ins, and the model is always the bundled one: `test_runs.py` has the families
    and their real tokenizers, which take seconds to load for every command.
    """

    def __init__(self, stand_in_rows) -> None:
        self.stand_in_rows = stand_in_rows

    def follow(self, command: list[str]) -> None:
        arguments = self.replaced(without_redirection(command))
        result = CliRunner().invoke(app, arguments, prog_name="nybble")
        assert result.exit_code == 0, f"{arguments}\n{result.output}\n{result.exception}"
        if ">" in command:
            Path(command[-1]).write_text(result.stdout, encoding="utf-8")

    def replaced(self, command: list[str]) -> list[str]:
        verb, *_ = command
        if verb in ("verify", "inspect") and command[1] in BASES:
            return [verb, "bundled:mini"]
        if verb not in TAKE_A_RECIPE:
            return command
        (recipe,) = [argument for argument in command if argument in catalogue_names()]
        if recipe == "price-demo":
            return [*command, *SMALL_DEMO]
        return [*command, *self.stand_in_rows(recipe), *SHORT]


@pytest.mark.slow
@pytest.mark.parametrize("name", JOURNEYS)
def test_a_newcomer_can_follow_the_page(name, stand_in_rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    traveller = Traveller(stand_in_rows)
    for command in commands(DOCS / "journeys" / f"{name}.md"):
        if command[0] not in ONLY_PARSED:
            traveller.follow(command)
    assert list(tmp_path.glob("runs/*/report.html"))
