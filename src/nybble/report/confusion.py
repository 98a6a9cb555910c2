"""The confusion matrix of labels: what was said to the rows of each true label."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from nybble.report.scores import share_interval
from nybble.report.text import cut

MOST_LABELS, LABEL_TEXT = 20, 60
OTHER, UNREAD = "all others", "no label read"


def confusion(truth: Sequence[Any], values: dict[str, Sequence[Any]]) -> dict[str, Any]:
    """Counts [truth, answer] of each model, with the share of each true label that was found.

    Labels come by frequency; beyond `MOST_LABELS` they are put together. The last column counts the
    answers in which no label could be read.
    """
    frequent = Counter(map(str, truth))
    for said in values.values():
        frequent.update({str(value): 0 for value in said if value is not None})
    names = [label for label, _ in frequent.most_common()]
    kept = names if len(names) <= MOST_LABELS else names[: MOST_LABELS - 1]
    labels = kept if kept is names else [*kept, OTHER]
    place = {label: i for i, label in enumerate(kept)}
    last = len(labels) - 1
    matrices = []
    for name, said in values.items():
        counts = [[0] * (len(labels) + 1) for _ in labels]
        found = [0] * len(labels)
        for true, value in zip(truth, said, strict=True):
            at = place.get(str(true), last)
            found[at] += value is not None and str(value) == str(true)
            counts[at][len(labels) if value is None else place.get(str(value), last)] += 1
        recalls = [_recall(hits, sum(line)) for hits, line in zip(found, counts, strict=True)]
        matrices.append({"name": name, "counts": counts, "recall": recalls})
    return {
        "truth": [cut(label, LABEL_TEXT) for label in labels],
        "said": [*(cut(label, LABEL_TEXT) for label in labels), UNREAD],
        "merged": len(names) - len(kept),
        "models": matrices,
    }


def _recall(hits: int, n: int) -> dict[str, float] | None:
    if not n:
        return None
    low, high = share_interval(hits / n, n)
    return {"value": hits / n, "low": low, "high": high, "n": n}
