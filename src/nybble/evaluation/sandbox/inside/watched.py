"""Tests in which every `assert` is watched alone: one that fails does not hide those after it."""

import ast
import operator
from typing import Any

_SHOWN = 200
_WATCH, _ERROR = "__nybble_watch__", "__nybble_error__"
_OPERATORS: dict[type[ast.cmpop], tuple[str, Any]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_SYMBOLS = dict(_OPERATORS.values())


class Watch:
    """What became of each assertion, in the order of their source."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._reached: set[int] = set()
        self._failures: dict[int, str] = {}

    @property
    def failures(self) -> list[str]:
        """What was seen where assertions did not hold; the first time of each."""
        return [self._failures[place] for place in sorted(self._failures)]

    def assertions(self) -> list[tuple[str, bool, str]]:
        """Source, whether it held whenever it was reached, and what was seen if not."""
        failures = self._failures
        return [
            (self.texts[place], place not in failures, failures.get(place, ""))
            for place in sorted(self._reached)
        ]

    def compared(self, place: int, symbol: str, left: Any, right: Any) -> None:
        """`assert left == right` and the like."""
        self._reached.add(place)
        if not _SYMBOLS[symbol](left, right):
            self._failures.setdefault(place, f"{_short(left)} {symbol} {_short(right)} is false")

    def true(self, place: int, value: Any) -> None:
        """Any other assertion."""
        self._reached.add(place)
        if not value:
            self._failures.setdefault(place, f"{_short(value)} is false")

    def raised(self, place: int, error: BaseException) -> None:
        """An error came where the assertion's value was wanted."""
        self._reached.add(place)
        self._failures.setdefault(place, f"{type(error).__name__}: {error}"[: 2 * _SHOWN])


def watched(source: str, watch: Watch, names: dict[str, Any]) -> Any:
    """`source` compiled, its assertions reporting to `watch`. Raises SyntaxError."""
    tree = _Rewriter(source, watch).visit(ast.parse(source))
    names[_WATCH] = watch
    return compile(ast.fix_missing_locations(tree), "<tests>", "exec", dont_inherit=True)


class _Rewriter(ast.NodeTransformer):
    """`assert test` becomes `try: watch.true(place, test)`, `except Exception: watch.raised(…)`."""

    def __init__(self, source: str, watch: Watch) -> None:
        self._source, self._watch = source, watch

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:
        place = ast.Constant(len(self._watch.texts))
        self._watch.texts.append(ast.get_source_segment(self._source, node) or "assert")
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPERATORS:
            symbol = ast.Constant(_OPERATORS[type(test.ops[0])][0])
            seen = _call("compared", place, symbol, test.left, test.comparators[0])
        else:
            seen = _call("true", place, test)
        failed = _call("raised", place, ast.Name(_ERROR, ast.Load()))
        handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), _ERROR, [failed])
        return ast.copy_location(ast.Try([seen], [handler], [], []), node)


def _call(method: str, *arguments: ast.expr) -> ast.stmt:
    function = ast.Attribute(ast.Name(_WATCH, ast.Load()), method, ast.Load())
    return ast.Expr(ast.Call(function, list(arguments), []))


def _short(value: Any) -> str:
    """The value as Python writes it, its middle left out where that is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} … {text[-_SHOWN // 2 :]}"
