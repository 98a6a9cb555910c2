"""Rows that ask for a program: what tests it, in the columns of MBPP or of HumanEval.

MBPP (Austin et al., Program Synthesis with Large Language Models, 2021; `bundled:functions` has the
same columns): `test_list`, a list of assertions, and `test_setup_code`, which uses what the answer
defines, so it runs after it. The sanitized rows have `test_imports` instead. The assertions of
`challenge_test_list` are not part of the benchmark's count and are left out here too.

HumanEval (Chen et al., Evaluating Large Language Models Trained on Code, 2021): `prompt`, the
beginning of a function with its docstring, `test`, which defines `check(candidate)`, and
`entry_point`, the function's name.
"""

import ast
import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nybble.runs.errors import InputError


@dataclass(frozen=True)
class Problem:
    """What an answer has to be: it defines `function`, and with it the `tests` pass.

    `setup` runs after the answer and before the tests. `beginning` is the source that the answer
    goes on with; empty where the answer is the whole source.
    """

    tests: tuple[str, ...]
    function: str
    setup: str = ""
    beginning: str = ""


def problem_of(columns: Mapping[str, Any], where: str) -> Problem:
    """The problem that a row poses. `where` names the row in errors.

    Raises InputError for a row without tests, with tests that are no Python, or of another format.
    """
    if "test_list" in columns:
        tests = tuple(str(test) for test in _listed(columns["test_list"]))
        imports = [str(line) for line in _listed(columns.get("test_imports"))]
        setup = "\n".join([*imports, str(columns.get("test_setup_code") or "")]).strip()
        problem = Problem(tests, _called(tests, where), setup)
    elif "test" in columns and "entry_point" in columns:
        function = str(columns["entry_point"])
        tests = (f"{columns['test']}\n\ncheck({function})\n",)
        beginning = str(columns.get("prompt") or "")
        problem = Problem(tests, function, _helpers(beginning, function), beginning)
    else:
        raise InputError(
            f"{where}: no tests: there are the columns {', '.join(columns) or '(none)'}.",
            "Rows of task code have test_list (as MBPP) or test and entry_point (as HumanEval).",
        )
    _parsed([problem.setup, *tests], where)
    return problem


def _helpers(beginning: str, function: str) -> str:
    """What stands in the beginning beside `function`: imports, and functions that tests use too.

    The tests take these from here: an answer that defines them anew changes nothing in the tests.
    """
    try:
        tree = ast.parse(beginning + "\n    pass\n")
    except SyntaxError:
        return ""
    kept = [part for part in tree.body if getattr(part, "name", None) != function]
    return ast.unparse(ast.Module(kept, []))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value] if value else []


def _called(tests: tuple[str, ...], where: str) -> str:
    """The function that the tests are about: of those they call, the first that is not built in.

    A task may ask for `sum`: where they call nothing else, it is the first of all.
    """
    nodes = [node for tree in _parsed(list(tests), where) for node in ast.walk(tree)]
    calls = [n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    own = [name for name in calls if not hasattr(builtins, name)]
    if not calls:
        raise InputError(
            f"{where}: its {len(tests)} tests call no function.",
            "Give assertions that call the function asked for.",
        )
    return (own or calls)[0]


def _parsed(sources: list[str], where: str) -> list[ast.Module]:
    try:
        return [ast.parse(source) for source in sources]
    except SyntaxError as error:
        raise InputError(
            f"{where}: its tests are no Python: {error}.", "Mend the row, or leave it out."
        ) from None
