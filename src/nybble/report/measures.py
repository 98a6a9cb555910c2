"""What metrics are called in words that need no paper, and how they are written."""

from dataclasses import asdict, dataclass
from typing import Any

from nybble.evaluation.words import words_of


@dataclass(frozen=True)
class Measure:
    """A metric: its `title`, its `unit` in words, and whether it is a `share`, said in per cent."""

    name: str
    title: str
    unit: str
    share: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


# Of metrics that are never the headline, so that no sentence is made of them.
TITLES = {
    "rmsle": "Root mean squared log error",
    "r2": "r²",
    "macro_f1": "Macro F1",
    "perplexity": "Perplexity",
    "corpus_chrf": "chrF of all rows as one text",
}
UNITS = {
    "mae": "in the truth's own unit",
    "mse": "in the truth's unit, squared",
    "r2": "share of the truth's variance explained",
    "macro_f1": "mean over labels, 0 to 1",
    "chrf": "overlap of character n-grams, 0 to 1",
    "rouge_l": "longest common subsequence of words, 0 to 1",
    "loss": "nats",
    "perplexity": "e to the loss",
}


def measure(name: str) -> Measure:
    """The metric `name`; one that a user's own function gives keeps its name."""
    words = words_of(name)
    title = TITLES.get(name, words.title if words.title != name else name.replace("_", " "))
    return Measure(name, title, UNITS.get(name, ""), words.share)
