"""What the tests hold in place of the program's functions, classes and objects.

What a test gives to an object (arguments, attributes, indices) is passed on; what it compares an
object with is not. Otherwise an object that answers `==` with True would pass every test. Two of
the program's objects are compared by the program: there the tests themselves ask for its opinion.
"""

import builtins
from collections import deque
from typing import Any, Protocol


class RaisedError(Exception):
    """The program raised an error of a kind that is not built in."""


BETWEEN_OBJECTS = ("lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "and_", "or_", "xor")
"""Operators, as the module `operator` names them, that the program does for two of its objects."""


class Ask(Protocol):
    """A request to the program's process: the operation, the object, what it is given."""

    def __call__(
        self, what: str, target: "Reference", *given: Any, **keywords: Any
    ) -> list[Any]: ...


class Reference:
    """An object of the program's process, by its number."""

    __slots__ = ("_ask", "_number")

    def __init__(self, ask: Ask, number: int) -> None:
        object.__setattr__(self, "_ask", ask)
        object.__setattr__(self, "_number", number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        result, *changed = self._ask("call", self, *arguments, **keywords)
        if changed:
            for mine, theirs in zip(arguments, changed[0], strict=False):
                _take_over(mine, theirs)
        return result

    def __getattr__(self, name: str) -> Any:
        return self._ask("getattr", self, name)[0]

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self._ask("getitem", self, key)[0]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("setitem", self, key, value)

    def __delitem__(self, key: Any) -> None:
        self._ask("delitem", self, key)

    def __iter__(self) -> Any:
        return self._ask("iter", self)[0]

    def __next__(self) -> Any:
        return self._ask("next", self)[0]

    def __len__(self) -> int:
        return int(self._ask("len", self)[0])

    def __bool__(self) -> bool:
        return bool(self._ask("bool", self)[0])

    def __str__(self) -> str:
        return str(self._ask("str", self)[0])

    def __repr__(self) -> str:
        return str(self._ask("repr", self)[0])

    def __hash__(self) -> int:
        return hash(self._number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and bool(self._ask("eq", self, other)[0])


def _between_objects(operation: str) -> Any:
    def method(self: Reference, other: object) -> Any:
        if not isinstance(other, Reference):
            return NotImplemented
        return self._ask(operation, self, other)[0]

    return method


for _operation in BETWEEN_OBJECTS:
    setattr(Reference, f"__{_operation.strip('_')}__", _between_objects(_operation))


def raise_as(name: str, message: str) -> None:
    """Raise the program's error here: as itself where it is built in, else as `RaisedError`."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            error = kind(message)
        except TypeError:
            error = RaisedError(f"{name}: {message}")
        raise error
    raise RaisedError(f"{name}: {message}" if message else name)


def _take_over(mine: Any, theirs: Any) -> None:
    """Let an argument that the program may have changed in place be what it is there."""
    if type(mine) is not type(theirs) or mine == theirs:
        return
    if isinstance(mine, (list, bytearray)):
        mine[:] = theirs
    elif isinstance(mine, (dict, set)):
        mine.clear()
        mine.update(theirs)
    elif isinstance(mine, deque):
        mine.clear()
        mine.extend(theirs)
