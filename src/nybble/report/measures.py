"""What metrics are called in words that need no paper, and how they are written."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """A metric: its `title`, its `unit` in words, and whether it is a `share`, said in per cent."""

    name: str
    title: str
    unit: str = ""
    share: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


TITLES = {
    "mae": ("Mean absolute error", "in the truth's own unit", False),
    "mse": ("Mean squared error", "in the truth's unit, squared", False),
    "rmse": ("Root mean squared error", "in the truth's own unit", False),
    "rmsle": ("Root mean squared log error", "", False),
    "r2": ("r²", "share of the truth's variance explained", False),
    "accuracy": ("Accuracy", "share of rows", True),
    "macro_f1": ("Macro F1", "mean over labels, 0 to 1", False),
    "exact_match": ("Exact match", "share of rows", True),
    "chrf": ("chrF", "overlap of character n-grams, 0 to 1", False),
    "rouge_l": ("ROUGE-L", "longest common subsequence, 0 to 1", False),
    "loss": ("Loss", "nats per scored token", False),
    "perplexity": ("Perplexity", "e to the loss", False),
}  # fmt: skip


def measure(name: str) -> Measure:
    """The metric `name`; one that a user's own function gives keeps its name."""
    if name in TITLES:
        return Measure(name, *TITLES[name])
    if name.startswith("pass@"):
        return Measure(name, name, "share of rows solved", share=True)
    if name.startswith("within_"):
        return Measure(name, name.replace("_", " "), "share of rows", share=True)
    return Measure(name, name.replace("_", " "))
