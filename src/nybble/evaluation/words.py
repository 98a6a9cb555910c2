"""How figures are said: a metric's name, its sentence, and numbers with three digits."""

import math
from dataclasses import dataclass

from nybble.evaluation.statistics import LEVEL


@dataclass(frozen=True)
class MetricWords:
    """`title` heads a table, `phrase` says a value in a sentence.

    A `share` is said in percent. `bounds` are the least and largest score that a row can have.
    """

    title: str
    phrase: str
    share: bool = False
    bounds: tuple[float, float] | None = None

    def value(self, value: float) -> str:
        """`14.2`, or `81.2%` of a share."""
        return f"{rounded(100 * value)}%" if self.share else rounded(value)

    def of_one(self, value: float) -> str:
        """`is off by 14.2 on average`: what follows a model's name."""
        return self.phrase.format(self.value(value))

    def of_several(self, mean: float) -> str:
        """`are off by 14.2 on average`: what follows several models' name."""
        verb, _, rest = self.of_one(mean).partition(" ")
        return f"{PLURAL[verb]} {rest}"

    def difference(self, value: float) -> str:
        """`-95.3`, or `12.3 points` between two shares."""
        return f"{rounded(100 * value)} points" if self.share else rounded(value)

    def range(self, interval: dict[str, float]) -> str:
        """`13.1 to 15.4`, or `78.0 to 83.1` of shares, whose unit is said before."""
        scale = 100 if self.share else 1
        return f"{rounded(scale * interval['low'])} to {rounded(scale * interval['high'])}"

    def interval(self, interval: dict[str, float]) -> str:
        """`95% interval 13.1 to 15.4`."""
        return f"{LEVEL:.0%} interval {self.range(interval)}"


UNIT, ERROR = (0.0, 1.0), (0.0, math.inf)
PLURAL = {"is": "are", "has": "have", "gets": "get", "says": "say", "guesses": "guess"}
WORDS = {
    "mae": MetricWords("Mean absolute error", "is off by {} on average", bounds=ERROR),
    "mse": MetricWords("Mean squared error", "has a mean squared error of {}", bounds=ERROR),
    "green": MetricWords(
        "Share of green guesses", "guesses {} within the green bounds", True, UNIT
    ),
    "accuracy": MetricWords("Accuracy", "gets {} right", True, UNIT),
    "exact_match": MetricWords("Exact matches", "says {} exactly as they are", True, UNIT),
    "chrf": MetricWords("chrF", "has a chrF of {}", bounds=UNIT),
    "rouge_l": MetricWords("ROUGE-L", "has a ROUGE-L of {}", bounds=UNIT),
    "loss": MetricWords("Loss per scored token", "has a loss of {} per scored token", bounds=ERROR),
}


def words_of(metric: str) -> MetricWords:
    """The words of a metric; of one's own, its name."""
    if metric.startswith("pass@"):
        return MetricWords(metric, f"has a {metric} of {{}}", True, UNIT)
    article = "an" if metric[0] in "aeiou" else "a"
    return WORDS.get(metric) or MetricWords(metric, f"has {article} {metric} of {{}}")


def rounded(value: float) -> str:
    """Three significant digits, or all those before the point: 14.2, 1,234, 0.00321."""
    if value == 0:
        return "0"
    exponent = int(f"{value:.2e}".partition("e")[2])
    if not -5 <= exponent <= 12:
        return f"{value:.2e}"
    return f"{value:,.{max(0, 2 - exponent)}f}"


def listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
