"""The process that runs the program, and then does what the tests ask of it.

Nothing that this process says is believed, but for what its values are: the tests, which see only
data, are in another process. It shares its memory with the program, so it holds nothing secret but
`token`, by which a program without tests shows that it came to its end.
"""

import builtins
import operator
import sys
import types
from typing import Any

from . import wire
from .reference import BETWEEN_OBJECTS, raise_as

MESSAGE_LENGTH = 400


def play(program: str, name: str, token: str, requests: int, replies: int) -> None:
    """Run `program` as a module `name`, say how it ended, and answer until the tests are done."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(program, "<program>", "exec", dont_inherit=True), module.__dict__)
        sys.stdout.flush()
    except BaseException as error:
        wire.send(replies, ["raised", *described(error)])
        return
    wire.send(replies, ["ended", token])
    answering = _Answering(module, requests, replies)
    while True:
        answering.answer(wire.receive(requests))


def described(error: BaseException) -> tuple[str, str]:
    """Name and message of an error, as far as it lets itself be described."""
    try:
        return type(error).__name__, str(error)[:MESSAGE_LENGTH]
    except BaseException:
        return "Exception", ""


class _Answering:
    """Does what the tests ask. Every object spoken of stays, and is known by its number."""

    def __init__(self, module: types.ModuleType, requests: int, replies: int) -> None:
        self._module, self._requests, self._replies = module, requests, replies
        self._held: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._functions: dict[int, Any] = {}

    def answer(self, asked: Any) -> None:
        """Send the value of a request, or the error that came of it."""
        try:
            answer = ["value", *self._done(*asked)]
            sys.stdout.flush()
        except BaseException as error:
            answer = ["raised", *described(error)]
        wire.send(self._replies, answer)

    def _done(self, what: str, *rest: Any) -> list[Any]:
        """What came of a request; for a call, what its arguments are now: they may be changed."""
        if what == "name":
            value = vars(self._module)[rest[0]]
            return [["module"] if isinstance(value, types.ModuleType) else self._encoded(value)]
        target, arguments, keywords = (wire.decode(part, self._resolve) for part in rest)
        if what == "call":
            result = target(*arguments, **keywords)
            return [self._encoded(result), self._encoded(arguments)]
        return [self._encoded(_OPERATIONS[what](target, *arguments))]

    def _encoded(self, value: Any) -> Any:
        return wire.encode(value, self._refer)

    def _refer(self, value: Any) -> Any:
        if isinstance(value, type) and (name := wire.builtin_name(value)) in wire.TYPES:
            return ["builtin", name]
        for number, function in self._functions.items():
            if function is value:
                return ["function", number]
        number = self._numbers.setdefault(id(value), len(self._held))
        if number == len(self._held):
            self._held.append(value)
        return ["reference", number]

    def _resolve(self, data: Any) -> Any:
        kind, which = data
        if kind == "builtin":
            return getattr(builtins, which)
        if kind == "function":
            return self._functions.setdefault(which, self._function_of_the_tests(which))
        return self._held[which]

    def _function_of_the_tests(self, number: int) -> Any:
        def call_back(*arguments: Any, **keywords: Any) -> Any:
            parts = (self._encoded(part) for part in (list(arguments), keywords))
            wire.send(self._replies, ["call back", ["function", number], *parts])
            while True:
                kind, *rest = wire.receive(self._requests)
                if kind == "value":
                    return wire.decode(rest[0], self._resolve)
                if kind == "raised":
                    raise_as(*rest)
                # The tests' function asks something of the program in its turn.
                self.answer([kind, *rest])

        return call_back


_OPERATIONS: dict[str, Any] = {
    "getattr": getattr,
    "setattr": setattr,
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "delitem": operator.delitem,
    "iter": iter,
    "next": next,
    "len": len,
    "bool": bool,
    "str": str,
    "repr": repr,
    "eq": operator.eq,
    **{name: getattr(operator, name) for name in BETWEEN_OBJECTS},
}
