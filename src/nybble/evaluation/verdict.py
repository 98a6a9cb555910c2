"""What a comparison shows, in sentences that follow from its intervals and never say more.

A model is called better or worse than another only where the pair's `outcome` is: where the
interval of the paired difference excludes zero, also after correction for the number of pairs.
"""

from typing import Any

from nybble.evaluation.statistics import LEVEL
from nybble.evaluation.words import MetricWords, listed, rounded, words_of

OF_THE_TRAINED = (
    "The intervals are over rows: they speak for this model, and `--seeds N` for its recipe."
)
OF_THE_MODELS = "The intervals are over rows: they speak for these models, not for their recipes."
_PHRASES = (
    ("better", "beats "),
    ("undecided", "shows no difference from "),
    ("worse", "does worse than "),
)


def verdict(comparison: dict[str, Any]) -> str:
    """A run's: tuned against baseline, then the references. Else the model of the best value, and
    what of the others it is shown to differ from."""
    words = words_of(comparison["metric"])
    if "tuned_name" in comparison:
        return _of_run(comparison, words)
    return _of_models(comparison, words)


def recipe_verdict(seeds: dict[str, Any], higher_is_better: bool) -> str:
    """What several seeds say of a recipe against the baseline: `seeds` is as seeds.json has it."""
    words, change = words_of(seeds["metric"]), seeds["difference"]
    each = ", ".join(f"{words.value(v)} (seed {seed})" for seed, v in seeds["by_seed"].items())
    sentence = (
        f"Over {seeds['n']} seeds the recipe's models {words.of_several(seeds['mean'])}, with a "
        f"standard deviation of {words.difference(seeds['sd'])} between seeds: {each}. For other "
        f"seeds and other rows, the difference to the {seeds['baseline_name']} is "
        f"{words.difference(change['value'])} ({words.interval(change)})"
    )
    if change["low"] <= 0 <= change["high"]:
        return f"{sentence}: no difference is shown for the recipe."
    better = (change["low"] > 0) == higher_is_better
    return f"{sentence}: the recipe is {'better' if better else 'worse'}."


def _of_run(comparison: dict[str, Any], words: MetricWords) -> str:
    tuned, name = comparison["tuned_name"], comparison["baseline_name"]
    sentence = (
        f"On {comparison['n']:,} held-out rows the tuned model "
        f"{words.of_one(comparison['tuned']['value'])} "
        f"({words.interval(comparison['tuned'])}), "
        f"{_against(pair_of(comparison, tuned, name), words, comparison)}"
        f"{_unread(comparison, [name, tuned])}."
    )
    others = [n for n in comparison["references"] if n != comparison["floor_name"]]
    sentence += _sorted_out(comparison, tuned, others, words)
    return f"{sentence}{_above_floor(comparison, words)} {OF_THE_TRAINED}"


def _of_models(comparison: dict[str, Any], words: MetricWords) -> str:
    floor = comparison.get("floor_name")
    models = [model for model in comparison["models"] if model["name"] != floor]
    models = models or comparison["models"]
    sign = 1 if comparison["higher_is_better"] else -1
    best = max(models, key=lambda model: sign * model["value"])
    others = [model["name"] for model in models if model is not best]
    sentence = (
        f"On {comparison['n']:,} rows {best['name']} "
        f"{words.of_one(best['value'])} ({words.interval(best)})"
    )
    level = [m["name"] for m in models if m is not best and m["value"] == best["value"]]
    sentence += f", level with {listed(level)} as" if level else "," if others else ""
    sentence += f" the best of {len(models)} by its estimate" if others else ""
    sentence += f"{_unread(comparison, [model['name'] for model in models])}."
    sentence += _sorted_out(comparison, best["name"], others, words)
    return f"{sentence} {OF_THE_MODELS}"


def _against(pair: dict[str, Any], words: MetricWords, comparison: dict[str, Any]) -> str:
    """The tuned model against the baseline, as the end of a sentence."""
    change, name = pair["difference"], pair["b"]
    value = words.difference(change["value"])
    if pair["outcome"] == "undecided":
        return (
            f"with no difference from the {name} shown: the paired difference is {value}, "
            f"and its {LEVEL:.0%} interval, {words.range(change)}, {_why_open(pair, comparison)}"
        )
    more = "more" if change["value"] > 0 else "less"
    return (
        f"{words.difference(abs(change['value']))} {more} than the {name} "
        f"(paired difference {value}, {words.range(change)}): {pair['outcome']}"
    )


def _why_open(pair: dict[str, Any], comparison: dict[str, Any]) -> str:
    """Why a difference is undecided, and how many rows might decide it."""
    if pair["difference"]["low"] <= 0 <= pair["difference"]["high"]:
        why = "includes zero"
    else:
        count = len(comparison["pairs"])
        why = f"does not, but corrected for {count} comparisons p is {rounded(pair['p_holm'])}"
    rows = pair["rows_to_settle"]
    return f"{why}; if it is as large as that, {rows:,} rows would likely show it" if rows else why


def _sorted_out(
    comparison: dict[str, Any], subject: str, others: list[str], words: MetricWords
) -> str:
    """A sentence on `subject` against each of `others`; empty without any."""
    by_outcome: dict[str, list[str]] = {}
    for other in others:
        pair = pair_of(comparison, subject, other)
        change = pair["difference"]
        size = f"{words.difference(change['value'])}, {words.range(change)}"
        said = f"{_called(comparison, other)} ({size})"
        by_outcome.setdefault(pair["outcome"], []).append(said)
    clauses = [
        phrase + listed(by_outcome[outcome])
        for outcome, phrase in _PHRASES
        if outcome in by_outcome
    ]
    return f" It {'; it '.join(clauses)}." if clauses else ""


def _called(comparison: dict[str, Any], name: str) -> str:
    """A run's models are called by what they are; others by names that were given to them."""
    return f"the {name}" if "tuned_name" in comparison else name


def pair_of(comparison: dict[str, Any], a: str, b: str) -> dict[str, Any]:
    """The pair of a and b, turned round where it was tested the other way."""
    for pair in comparison["pairs"]:
        if (pair["a"], pair["b"]) == (a, b):
            return dict(pair)
        if (pair["a"], pair["b"]) == (b, a):
            return _turned(pair)
    raise KeyError((a, b))


def _turned(pair: dict[str, Any]) -> dict[str, Any]:
    change = pair["difference"]
    turned = {"value": -change["value"], "low": -change["high"], "high": -change["low"]}
    outcome = {"better": "worse", "worse": "better"}.get(pair["outcome"], pair["outcome"])
    return pair | {"a": pair["b"], "b": pair["a"], "difference": turned, "outcome": outcome}


def _unread(comparison: dict[str, Any], names: list[str]) -> str:
    """How many answers could not be read: a difference may be one of form, not of knowledge."""
    rates = {model["name"]: model["parse_rate"] for model in comparison["models"]}
    what = {"number": "held no number", "label": "held no label"}.get(
        comparison["task"], "could not be read"
    )
    parts = [
        f"{rounded(100 * (1 - rates[name]))}% of {_called(comparison, name)}'s"
        for name in names
        if rates[name] < 1
    ]
    return f"; {listed(parts)} answers {what}" if parts else ""


def _above_floor(comparison: dict[str, Any], words: MetricWords) -> str:
    """How far the tuned model is from a perfect predictor, where that is known."""
    name = comparison["floor_name"]
    if name is None:
        return ""
    floor = comparison["references"][name]["value"]
    ratio = comparison["tuned"]["value"] / floor if floor > 0 else None
    times = f": the tuned model is at {ratio:.2f} times that" if ratio else ""
    return f" A perfect predictor {words.of_one(floor)}, the {name}{times}."
