"""What a page shows, from the files of a run or of a comparison; a missing file leaves a part out.

Lengths are bounded, so that the page stays small whatever the run: points of a curve, characters of
a text, tokens of a preview. Where something was cut, the page says so.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nybble.report.curves import memory, training
from nybble.report.judged import judged
from nybble.report.models import ordered
from nybble.report.rows import columns
from nybble.report.text import cut
from nybble.runs.atomic import read_json_lines
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.runs.secrets import masked

MOST_TOKENS = 1_500
MOST_YAML = 40_000
# Where the preview does not say which tokens are special: <eos>, <|im_end|>, [INST], </s>.
_SPECIAL = re.compile(r"<\|?/?[^<>\s]{1,40}\|?>|\[/?[A-Z_]{2,20}\]")


@dataclass(frozen=True)
class Contents:
    """What a page is made of: `sections` to be drawn at once, `rows` to be packed (or none)."""

    sections: dict[str, Any]
    rows: dict[str, Any] | None


def run_contents(folder: RunFolder) -> Contents:
    """The page of a run. Reads JSON and YAML, never a model."""
    recipe_text = folder.recipe.read_text(encoding="utf-8")
    recipe = _recipe(folder, recipe_text)
    environment = optional(folder.path / "environment.json") or {}
    audit = optional(folder.path / "data/audit.json")
    metrics = read_json_lines(folder.metrics)
    found = _judged(folder.evaluation)
    sections = {
        "name": masked(str(recipe.get("name", folder.path.name))),
        "summary": masked(str(recipe.get("summary", ""))),
        "facts": _facts(recipe, environment, audit),
        "training": training(metrics),
        "memory": memory(metrics, optional(folder.path / "plan.json") or {}),
        "lengths": optional(folder.path / "data/lengths.json"),
        "tokens": _tokens(optional(folder.path / "data/preview.json") or []),
        "recipe": cut(masked(recipe_text), MOST_YAML),
        "environment": _flat(environment),
        "seeds": optional(folder.evaluation / "seeds.json"),
        "trained": True,
    }
    return Contents({**sections, **found.sections}, found.rows)


def comparison_contents(folder: Path) -> Contents:
    """The page of what `nybble compare` left in `folder`; `InputError` where that is nothing."""
    found = _judged(folder)
    if not found.sections:
        raise InputError(
            f"{folder} has no comparison.json.", "Name a folder that `nybble compare` made."
        )
    names = [model["name"] for model in found.sections["models"]]
    facts = [
        ["task", found.sections["task"]],
        ["models", ", ".join(names)],
        ["rows", f"{found.sections['n']:,} of {found.sections['rows_of']}"],
    ]
    sections = {"name": cut(" and ".join(names), 120) if len(names) < 3 else
                f"{len(names)} models compared", "summary": "", "facts": facts}  # fmt: skip
    return Contents({**sections, **found.sections}, found.rows)


def _judged(folder: Path) -> Contents:
    """The sections and rows of `comparison.json` and `predictions.json`; nothing without them."""
    comparison = optional(folder / "comparison.json")
    if comparison is None:
        return Contents({}, None)
    if "models" not in comparison:
        raise InputError(
            f"{folder / 'comparison.json'} was written by an earlier version of Nybble.",
            "Evaluate again: `nybble evaluate` writes it anew, from the same adapter.",
        )
    comparison = ordered(comparison)
    predictions = optional(folder / "predictions.json")
    rows = columns(predictions, comparison) if predictions else None
    return Contents(judged(comparison, predictions), rows)


def optional(path: Path) -> Any:
    """The JSON value in `path`, or None where there is no such file. A broken file is an error."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(
            f"{path} is not JSON: {error}.", "Restore the file, or remove it."
        ) from None


def _recipe(folder: RunFolder, text: str) -> dict[str, Any]:
    try:
        recipe = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{folder.recipe} is not YAML: {error}.", "Restore the file.") from None
    if not isinstance(recipe, dict):
        raise InputError(f"{folder.recipe} is not a recipe.", "Restore the file.")
    return recipe


def _facts(
    recipe: dict[str, Any], environment: dict[str, Any], audit: dict[str, Any] | None
) -> list[list[str]]:
    """What the page says of the run under its name."""
    facts: list[tuple[str, Any]] = [
        ("base model", (recipe.get("model") or {}).get("base")),
        ("data", (recipe.get("data") or {}).get("train")),
        ("device", environment.get("device")),
    ]
    if audit:
        rows = audit.get("rows", {})
        split = [f"{n:,} {label}" for part, label in SPLITS.items() if (n := rows.get(part))]
        facts.append(("rows", ", ".join(split)))
        dropped = sum(audit.get("dropped", {}).values())
        facts.append(("dropped rows", f"{dropped:,}" if dropped else None))
    return [[label, cut(masked(str(value)), 200)] for label, value in facts if value]


SPLITS = {"train": "to train on", "validation": "to validate", "test": "to test"}


def _tokens(preview: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row's tokens as [text, id, scored, special]."""
    out = []
    for row in preview:
        texts = row["tokens"]
        special = row.get("special") or [bool(_SPECIAL.fullmatch(text)) for text in texts]
        columns = zip(texts, row["input_ids"], row["scored"], special, strict=True)
        tokens = [[cut(text, 60), *rest] for text, *rest in columns]
        out.append(
            {"row": row["source_row"], "count": len(tokens), "scored": sum(row["scored"]),
             "tokens": tokens[:MOST_TOKENS]}
        )  # fmt: skip
    return out


def _flat(values: dict[str, Any], prefix: str = "") -> list[list[str]]:
    """Nested values as lines of name and value: `packages.torch`, `2.13.0`."""
    lines = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            lines.append([prefix + key, cut(masked(text), 500)])
    return lines[:200]
