"""How the tests' process and the program's talk: length-framed JSON, values as data.

Data are numbers, texts, the built-in containers and a few standard value types, rebuilt on the
other side as exactly these: an object that claims to equal everything arrives as what it holds, or
as a reference to it, never as itself.
"""

import builtins
import json
import os
from collections import deque
from collections.abc import Callable
from typing import Any

LARGEST_MESSAGE = 64 * 2**20
_LARGE_INTEGER = 2**63

# Told apart by these names, so that the modules are imported only where they are used.
_BY_ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "datetime.date": lambda d: (d.year, d.month, d.day),
    "datetime.timedelta": lambda d: (d.days, d.seconds, d.microseconds),
    "datetime.datetime": lambda d: (
        d.year, d.month, d.day, d.hour, d.minute, d.second, d.microsecond
    ),
    "datetime.time": lambda d: (d.hour, d.minute, d.second, d.microsecond),
    "decimal.Decimal": lambda d: (str(d),),
    "fractions.Fraction": lambda f: (f.numerator, f.denominator),
    "array.array": lambda a: (a.typecode, a.tolist()),
}  # fmt: skip

Refer = Callable[[Any], Any]

TYPES = frozenset(
    (
        *("bool", "bytes", "bytearray", "complex", "dict", "float", "frozenset", "int", "list"),
        *("object", "range", "set", "str", "tuple", "type"),
        *("Exception", "IndexError", "KeyError", "TypeError", "ValueError", "ZeroDivisionError"),
    )
)
"""Built-in types that go over by name, in both directions."""


def builtin_name(value: Any) -> str | None:
    """The name of a built-in type or function, None for anything else."""
    name = getattr(value, "__name__", None)
    own = isinstance(name, str) and getattr(builtins, name, None) is value
    return name if own else None


class Gone(BaseException):
    """The other side has ended, or says what is no message: no `except Exception` hides it."""


def encode(value: Any, refer: Refer) -> Any:
    """`value` as JSON; `refer(value)` stands for what is no data."""
    if value is None or type(value) in (bool, str, float):
        return value
    if isinstance(value, int):
        # bool is final, so what is left is an int or a subclass: an enum's member, say.
        number = int(value)
        return number if abs(number) < _LARGE_INTEGER else ["int", hex(number)]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, complex):
        return ["complex", value.real, value.imag]
    if isinstance(value, (bytes, bytearray)):
        return [type(value).__name__, value.hex()]
    if isinstance(value, range):
        return ["range", encode([value.start, value.stop, value.step], refer)]
    if isinstance(value, dict):
        return ["dict", [[encode(k, refer), encode(v, refer)] for k, v in value.items()]]
    for kind in (list, tuple, set, frozenset, deque):
        if isinstance(value, kind):
            return [kind.__name__, [encode(item, refer) for item in value]]
    name = f"{type(value).__module__}.{type(value).__name__}"
    if name in _BY_ARGUMENTS and getattr(value, "tzinfo", None) is None:
        return ["of", name, encode(list(_BY_ARGUMENTS[name](value)), refer)]
    return refer(value)


def decode(data: Any, resolve: Refer) -> Any:
    """The value that `encode` wrote; `resolve` finds what a reference stands for."""
    if not isinstance(data, list):
        return data
    kind, *rest = data
    if kind == "int":
        return int(rest[0], 16)
    if kind == "complex":
        return complex(*rest)
    if kind in ("bytes", "bytearray"):
        return (bytes if kind == "bytes" else bytearray).fromhex(rest[0])
    if kind == "range":
        return range(*decode(rest[0], resolve))
    if kind == "dict":
        return {decode(k, resolve): decode(v, resolve) for k, v in rest[0]}
    if kind in _CONTAINERS:
        return _CONTAINERS[kind](decode(item, resolve) for item in rest[0])
    if kind == "of" and rest[0] in _BY_ARGUMENTS:
        module, name = rest[0].split(".")
        return getattr(__import__(module), name)(*decode(rest[1], resolve))
    return resolve(data)


_CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
}


def send(descriptor: int, message: Any) -> None:
    """Write one message. Raises Gone when nobody reads it."""
    text = json.dumps(message).encode("ascii")
    rest = memoryview(len(text).to_bytes(8, "big") + text)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BrokenPipeError:
        raise Gone("nothing more") from None


def receive(descriptor: int) -> Any:
    """Read one message. Raises Gone at the end, and for what is none."""
    size = int.from_bytes(_read(descriptor, 8), "big")
    if size > LARGEST_MESSAGE:
        raise Gone(f"a message of {size} bytes")
    text = _read(descriptor, size)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Gone("a message that is no JSON") from None


def _read(descriptor: int, size: int) -> bytes:
    parts, missing = [], size
    while missing:
        part = os.read(descriptor, min(missing, 2**20))
        if not part:
            raise Gone("nothing more")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
