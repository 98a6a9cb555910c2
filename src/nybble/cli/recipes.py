"""`nybble recipes`."""

import json
from typing import Annotated

import typer
import yaml

from nybble.cli.arguments import AsJson
from nybble.cli.completion import recipe_names
from nybble.recipe import catalogue_names, catalogue_text


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Print this recipe.", autocompletion=recipe_names)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the built-in recipes, or print one.

    Example: nybble recipes price-demo > mine.yaml
    """
    if name:
        text = catalogue_text(name)
        print(json.dumps(yaml.safe_load(text), indent=2) if as_json else text, end="")
        return
    summaries = {
        key: yaml.safe_load(catalogue_text(key)).get("summary", "") for key in catalogue_names()
    }
    if as_json:
        print(json.dumps(summaries, indent=2))
        return
    width = max(map(len, summaries))
    for key, summary in summaries.items():
        print(f"{key:<{width}}  {summary}")
