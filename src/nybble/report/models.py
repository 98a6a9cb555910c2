"""The models of a comparison as the page lists them: name, kind, part played, colour."""

from collections.abc import Mapping
from typing import Any

KINDS = {
    "tuned": "a run's model",
    "base": "base model",
    "adapter": "adapter",
    "remote": "remote model",
    "reference": "reference",
    "people": "people",
}
ROLES = {"tuned_name": "tuned", "baseline_name": "baseline", "floor_name": "floor"}
# The first two are the ones that a run keeps for its tuned model and its baseline.
PALETTE = ("tuned", "baseline", "series-0", "series-2", "series-3", "series-1")


def ordered(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """The comparison with its models as the page lists them: tuned, baseline, others, floor."""
    places = {comparison.get("tuned_name"): 0, comparison.get("baseline_name"): 1,
              comparison.get("floor_name"): 3}  # fmt: skip
    found = sorted(comparison["models"], key=lambda model: places.get(model["name"], 2))
    return {**comparison, "models": found}


def models(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An entry for each model, in their order: `name`, `kind` in words, `role`, `colour`.

    `role` is tuned, baseline, floor or other. A colour is a class of the style sheet; it comes with
    a pattern of dashes, so that lines can be told apart without it.
    """
    roles = {comparison[key]: role for key, role in ROLES.items() if comparison.get(key)}
    free = [colour for colour in PALETTE if colour not in roles.values()]
    entries, place = [], 0
    for model in comparison["models"]:
        role = roles.get(model["name"], "other")
        if role == "other":
            colour, place = free[place % len(free)], place + 1
        else:
            colour = role
        kind = KINDS.get(model["kind"], model["kind"])
        entries.append({"name": model["name"], "kind": kind, "role": role, "colour": colour})
    return entries
