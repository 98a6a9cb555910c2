"""Functions that a model may call, and its calls of them, as chat templates want them."""

import json
from typing import Any, NoReturn

from nybble.data.formats.base import Row
from nybble.runs.errors import InputError


def tools_in(row: Row, where: str) -> tuple[dict[str, Any], ...]:
    """The column `tools`: JSON schemas of functions, as a list or as the JSON of one.

    A bare schema, with its name at the top, is wrapped as `{"type": "function", "function": ...}`.
    """
    tools = row.get("tools")
    if isinstance(tools, str) and tools.strip():
        tools = _parsed(tools, f"{where}: 'tools'")
    if not tools or (isinstance(tools, str) and not tools.strip()):
        return ()
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise InputError(
            f"{where}: 'tools' is not a list of functions.",
            'Write [{"name": "...", "description": "...", "parameters": {...}}].',
        )
    return tuple(_wrapped(tool) for tool in tools)


def _wrapped(tool: dict[str, Any]) -> dict[str, Any]:
    """As transformers' `get_json_schema` writes functions; some templates read nothing else."""
    bare = "name" in tool and "function" not in tool
    return {"type": "function", "function": tool} if bare else tool


def tool_calls(calls: object, where: str) -> list[dict[str, Any]]:
    """The calls of one message, their arguments as mappings.

    APIs give the arguments as the text of a JSON object; templates write what they get as JSON, so
    a text would be written with its quotes escaped.
    """
    if isinstance(calls, str):  # as `nybble data push` writes them
        calls = _parsed(calls, f"{where}: 'tool_calls'")
    if not isinstance(calls, list) or not calls:
        raise InputError(f"{where}: 'tool_calls' is not a list of calls.", _HOW)
    return [_call(call, f"{where}: call {place}") for place, call in enumerate(calls, 1)]


def _call(call: object, where: str) -> dict[str, Any]:
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise InputError(f"{where} is not a call of a function.", _HOW)
    if not isinstance(function.get("name"), str):
        raise InputError(f"{where} has no function's name.", _HOW)
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        arguments = _parsed(arguments, f"{where}: its arguments")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        raise InputError(f"{where}: its arguments are not a mapping.", _HOW)
    kept = {name: value for name, value in function.items() if value is not None}
    # A call that is the function itself has no fields beside it.
    around = {} if function is call else call
    fields = {name: value for name, value in around.items() if value is not None}
    return fields | {"type": "function", "function": kept | {"arguments": arguments}}


def _parsed(text: str, what: str) -> Any:
    try:
        return json.loads(text, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what}: no JSON: {error}.", "Mend the row.") from None


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_HOW = 'Write {"type": "function", "function": {"name": "...", "arguments": {...}}}.'
