import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "nybble"
ROOMS = (
    "runs", "mini", "recipe", "sources", "data", "planner", "model", "engine", "training",
    "generation", "evaluation", "report", "export", "serving", "pipeline", "cli",
)  # fmt: skip
FILES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 250


def imported_modules(code: str, package: tuple[str, ...]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def imported_rooms(code: str, package: tuple[str, ...]) -> set[str]:
    parts = [module.split(".") for module in imported_modules(code, package)]
    return {part[1] for part in parts if part[0] == "nybble" and len(part) > 1} & set(ROOMS)


def test_every_folder_is_a_room():
    folders = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()}
    assert folders <= set(ROOMS)
    assert {"runs", "recipe", "cli"} <= folders


@pytest.mark.parametrize(
    ("code", "rooms"),
    [
        ("from nybble.cli.main import app", {"cli"}),
        ("import nybble.data.render", {"data"}),
        ("from nybble import report, runs", {"report", "runs"}),
        ("def f():\n    from nybble.model import load", {"model"}),
        ("from ..engine import step", {"engine"}),
        ("from .template import parse_template", {"data"}),
        ("import torch.cli", set()),
    ],
)
def test_imports_are_found_in_every_form(code, rooms):
    assert imported_rooms(code, ("nybble", "data")) == rooms


@pytest.mark.parametrize("path", [p for p in FILES if p.parent != SOURCE], ids=lambda p: p.stem)
def test_a_room_imports_only_earlier_rooms(path):
    package = path.relative_to(SOURCE.parent).parts[:-1]
    allowed = set(ROOMS[: ROOMS.index(package[1]) + 1])
    assert imported_rooms(path.read_text(encoding="utf-8"), package) <= allowed


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_file_holds_one_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
