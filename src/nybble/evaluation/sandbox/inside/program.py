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
from .reference import BETWEEN_OBJECTS

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
    objects = _Objects()
    while True:
        asked = wire.receive(requests)
        try:
            answer = ["value", *_answer(asked, module, objects)]
            sys.stdout.flush()
        except BaseException as error:
            answer = ["raised", *described(error)]
        wire.send(replies, answer)


def described(error: BaseException) -> tuple[str, str]:
    """Name and message of an error, as far as it lets itself be described."""
    try:
        return type(error).__name__, str(error)[:MESSAGE_LENGTH]
    except BaseException:
        return "Exception", ""


class _Objects:
    """What references stand for: every object that was spoken of stays, numbered."""

    def __init__(self) -> None:
        self._held: list[Any] = []
        self._numbers: dict[int, int] = {}

    def refer(self, value: Any) -> Any:
        if isinstance(value, type) and (name := wire.builtin_name(value)) in wire.TYPES:
            return ["builtin", name]
        number = self._numbers.setdefault(id(value), len(self._held))
        if number == len(self._held):
            self._held.append(value)
        return ["reference", number]

    def resolve(self, data: Any) -> Any:
        return getattr(builtins, data[1]) if data[0] == "builtin" else self._held[data[1]]


def _answer(asked: Any, module: types.ModuleType, objects: _Objects) -> list[Any]:
    """What came of a request, and for a call what its arguments are now: they may be changed."""
    what, *rest = asked
    if what == "name":
        value = vars(module)[rest[0]]
        if isinstance(value, types.ModuleType):
            return [["module"]]
        return [wire.encode(value, objects.refer)]
    target, arguments, keywords = (wire.decode(part, objects.resolve) for part in rest)
    if what == "call":
        result = target(*arguments, **keywords)
        return [wire.encode(part, objects.refer) for part in (result, arguments)]
    return [wire.encode(_OPERATIONS[what](target, *arguments), objects.refer)]


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
