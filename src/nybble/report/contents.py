"""What the page shows, section by section, from the files of a run; a missing file leaves one out.

Lengths are bounded here, so that the page stays small whatever the run: rows of the scatter, points
of a curve, characters of a text, tokens of a preview. Where something was cut, the page says so.
"""

import json
import re
from typing import Any

import yaml

from nybble.report.answers import Answers, extremes, read_answers, scatter
from nybble.report.curves import memory, running_error, training
from nybble.report.scores import outcome, score_table
from nybble.report.text import cut
from nybble.runs.atomic import read_json_lines
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.runs.secrets import masked

MOST_TOKENS = 1_500
MOST_YAML = 40_000
# Where the preview does not say which tokens are special: <eos>, <|im_end|>, [INST], </s>.
_SPECIAL = re.compile(r"<\|?/?[^<>\s]{1,40}\|?>|\[/?[A-Z_]{2,20}\]")


def contents(folder: RunFolder) -> dict[str, Any]:
    """The value that is embedded in the page. Reads JSON and YAML, never a model."""
    recipe_text = folder.recipe.read_text(encoding="utf-8")
    recipe = _recipe(folder, recipe_text)
    environment = optional(folder, "environment.json") or {}
    audit = optional(folder, "data/audit.json")
    metrics = read_json_lines(folder.metrics)
    comparison = optional(folder, "evaluation/comparison.json")
    return {
        "name": masked(str(recipe.get("name", folder.path.name))),
        "summary": masked(str(recipe.get("summary", ""))),
        "facts": _facts(recipe, environment, audit),
        "training": training(metrics),
        "memory": memory(metrics, optional(folder, "plan.json") or {}),
        "lengths": optional(folder, "data/lengths.json"),
        "tokens": _tokens(optional(folder, "data/preview.json") or []),
        "recipe": cut(masked(recipe_text), MOST_YAML),
        "environment": _flat(environment),
        **(_judged(folder, comparison) if comparison else {"verdict": None}),
    }


def optional(folder: RunFolder, name: str) -> Any:
    """The JSON value under `name`, or None where the run has none. A broken file is an error."""
    if not (folder.path / name).is_file():
        return None
    try:
        return folder.read(name)
    except ValueError as error:
        raise InputError(
            f"{folder.path / name} is not JSON: {error}.", "Restore the file, or remove it."
        ) from None


def _judged(folder: RunFolder, comparison: dict[str, Any]) -> dict[str, Any]:
    """The sections of a run that was evaluated."""
    predictions = optional(folder, "evaluation/predictions.json")
    answers: Answers | None = None
    if (
        comparison["task"] == "number"
        and predictions
        and comparison["tuned_name"] in predictions["values"]
    ):
        answers = read_answers(folder, predictions, comparison)
    lead, _, rest = comparison["verdict"].partition(". ")
    return {
        "verdict": {
            "outcome": outcome(comparison["difference"]),
            "lead": lead + "." if rest else lead,
            "rest": rest,
        },
        "n": comparison["n"],
        "reads": comparison.get("test_reads"),
        "scores": score_table(comparison, answers),
        "seeds": optional(folder, "evaluation/seeds.json"),
        "scatter": scatter(answers, comparison) if answers else None,
        "running": running_error(answers) if answers else None,
        "extremes": extremes(answers) if answers else None,
    }


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
