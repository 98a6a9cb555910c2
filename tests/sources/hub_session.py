"""Run as a script: calls of `nybble.sources`, read as JSON from stdin, in one process.

A call is [name, arguments]; its outcome {"value": ...} or {"message": ..., "fix": ...}. The process
stands apart from the tests because huggingface_hub reads its environment when it is imported.
"""

import json
import sys
from pathlib import Path
from typing import Any

from nybble import sources
from nybble.recipe.schema import Recipe
from nybble.runs.errors import InputError


def outcome(name: str, arguments: list[Any]) -> dict[str, Any]:
    """What the call gives, paths as texts, or how it is refused."""
    if name == "fetch":
        arguments = [Recipe.model_validate(arguments[0])]
    try:
        value = getattr(sources, name)(*arguments)
    except InputError as error:
        return {"message": error.message, "fix": error.fix}
    if isinstance(value, Path):
        return {"value": str(value)}
    return {"value": list(value)}


if __name__ == "__main__":
    print(json.dumps([outcome(name, arguments) for name, arguments in json.load(sys.stdin)]))
