"""The house style, row by row: what the docstring of `nybble.mini.style` promises."""

import ast
import subprocess
import sys

import pytest

from nybble.mini.style import style
from nybble.sources import load_rows

ROWS = list(style(1000))
QUESTIONS = [row["messages"][0]["content"] for row in ROWS]
CODE = [
    row["messages"][1]["content"].removeprefix("```python\n").removesuffix("\n```") for row in ROWS
]
PAIRS = pytest.mark.parametrize(("row", "code"), list(zip(ROWS, CODE, strict=True)), ids=QUESTIONS)


def definitions(code: str) -> list[ast.AST]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in ast.walk(ast.parse(code)) if isinstance(node, kinds)]


def inner_functions(code: str) -> set[str]:
    """Names of functions inside functions: a decorator's wrapper needs no docstring."""
    outer = [node for node in definitions(code) if not isinstance(node, ast.ClassDef)]
    inner = (node for function in outer for node in ast.walk(function) if node is not function)
    return {node.name for node in inner if isinstance(node, ast.FunctionDef)}


def test_the_rows_are_reachable_as_bundled_data():
    assert load_rows("bundled:python-style", "main", None) == ROWS
    assert load_rows("bundled:python-style", "main", 3) == ROWS[:3]


def test_there_are_enough_rows_and_no_question_twice():
    assert len(ROWS) >= 120
    assert len(set(QUESTIONS)) == len(set(CODE)) == len(ROWS)


@PAIRS
def test_a_row_is_a_question_and_one_code_block(row, code):
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["messages"][1]["content"] == f"```python\n{code}\n```"
    assert "```" not in code


@PAIRS
def test_the_code_passes_its_check(row, code):
    scope = {"__name__": "builtins"}  # dataclasses look their module up
    exec(compile(code, "answer", "exec"), scope)
    exec(compile(row["check"], "check", "exec"), scope)
    assert "assert" in row["check"]


@PAIRS
def test_everything_has_type_hints_and_a_one_line_docstring(row, code):
    found = definitions(code)
    assert found
    for node in found:
        if node.name not in inner_functions(code):
            text = ast.get_docstring(node, clean=False)
            assert text, node.name
            assert "\n" not in text, node.name
            assert text.endswith("."), node.name
        if isinstance(node, ast.ClassDef):
            continue
        assert node.returns is not None, node.name
        arguments = node.args
        for argument in (*arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if argument is not None and argument.arg != "self":
                assert argument.annotation is not None, f"{node.name}({argument.arg})"


@pytest.mark.parametrize("code", CODE, ids=QUESTIONS)
def test_nothing_is_printed(code):
    names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    assert "print" not in names


def test_the_code_is_formatted(tmp_path):
    for number, code in enumerate(CODE):
        (tmp_path / f"answer_{number}.py").write_text(code + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "88"]
    done = subprocess.run(
        [*command, "--check", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
