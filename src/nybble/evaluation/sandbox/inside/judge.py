"""The process that runs the tests: it never runs a line of the program.

The names that tests use and the program defines stand for references into the program's process.
"""

import ast
import builtins
import sys
from collections.abc import Callable, Sequence
from typing import Any

from . import wire
from .reference import Reference, raise_as
from .watched import Watch, watched

MODULE = object()


class Program:
    """The program's process, as the tests reach it."""

    def __init__(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        self._functions: list[Callable[..., Any]] = []

    def opening(self) -> list[Any]:
        """How the program itself ended: ["ended", token] or ["raised", error, message]."""
        return self._answer()

    def names(self, wanted: set[str]) -> dict[str, Any]:
        """Of the names `wanted`, those that the program defines; a module of its is `MODULE`."""
        found = {}
        for name in sorted(wanted):
            wire.send(self._requests, ["name", name])
            kind, *rest = self._answer()
            if kind == "value":
                found[name] = MODULE if rest[0] == ["module"] else self._decoded(rest[0])
        return found

    def ask(self, what: str, target: Reference, *given: Any, **keywords: Any) -> list[Any]:
        """Have `what` done with the program's object; the program's errors are raised here."""
        parts = (wire.encode(part, self._refer) for part in (target, list(given), keywords))
        wire.send(self._requests, [what, *parts])
        kind, *rest = self._answer()
        if kind != "value":
            raise_as(*(str(part) for part in rest))
        return [self._decoded(part) for part in rest]

    def _answer(self) -> list[Any]:
        """What the program answers, once it has called the functions of the tests that it needs."""
        while True:
            answer = wire.receive(self._replies)
            if not isinstance(answer, list) or len(answer) < 2:
                raise wire.Gone("an answer of another form")
            if answer[0] != "call back":
                return answer
            wire.send(self._requests, self._called_back(answer[1:]))

    def _called_back(self, call: list[Any]) -> list[Any]:
        """What a function of the tests gives to the program, which they gave it."""
        try:
            function, arguments, keywords = (self._decoded(part) for part in call)
            return ["value", wire.encode(function(*arguments, **keywords), self._refer)]
        except Exception as error:
            return ["raised", type(error).__name__, str(error)]

    def _decoded(self, data: Any) -> Any:
        try:
            return wire.decode(data, self._reference)
        except Exception as error:
            raise wire.Gone("a value of another form") from error

    def _reference(self, data: Any) -> Any:
        if data[0] == "builtin" and data[1] in wire.TYPES:
            return getattr(builtins, data[1])
        if data[0] == "function":
            return self._functions[data[1]]
        return Reference(self.ask, int(data[1]))

    def _refer(self, value: Any) -> Any:
        if isinstance(value, Reference):
            return ["reference", object.__getattribute__(value, "_number")]
        if name := wire.builtin_name(value):
            return ["builtin", name]
        if callable(value):
            self._functions.append(value)
            return ["function", len(self._functions) - 1]
        raise TypeError(f"the tests gave the program a {type(value).__name__}, which is no data")


def run_tests(program: Program, setup: str, tests: Sequence[str], watch: Watch) -> str | None:
    """Run `setup`, then `tests`, noting assertions in `watch`; the reason of a failure, or None."""
    try:
        trees = [ast.parse(source) for source in (setup, *tests)]
    except SyntaxError as error:
        return f"The tests are no Python: {error}."
    names: dict[str, Any] = {"__name__": "tests", **_visible(program, trees)}
    try:
        exec(compile(setup, "<setup>", "exec", dont_inherit=True), names)
    except Exception as error:
        return f"The setup code raised {type(error).__name__}: {error}"
    raised = None
    for source in tests:
        try:
            exec(watched(source, watch, names), names)
        except Exception as error:
            raised = raised or f"The tests raised {type(error).__name__}: {error}"
    if watch.failures:
        return watch.failures[0]
    return raised or (None if watch.assertions() else "The tests asserted nothing.")


def _visible(program: Program, trees: list[ast.Module]) -> dict[str, Any]:
    """What of the program the tests see.

    A standard module is itself, and a built-in function too, whatever the program calls by its
    name, unless that is the one name of the program that the tests use: a task may ask for `sum`.
    """
    nodes = [node for tree in trees for node in ast.walk(tree)]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    modules = {
        node.value.id
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    } & set(sys.stdlib_module_names)
    defined = program.names(used)
    standard = {name: __import__(name) for name in modules & set(defined)}
    values = {name: value for name, value in defined.items() if value is not MODULE} | standard
    own = {name: value for name, value in values.items() if name not in vars(builtins)}
    return own or (values if len(values) == 1 else {})
