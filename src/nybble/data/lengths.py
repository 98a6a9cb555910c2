"""How long rows are, and what a cut-off would cost.

What a cut-off saves is told by a model of two lines: a step's time goes with the tokens that are
kept, since rows are computed without padding between them, and the memory that a step needs at
least goes with its longest row, which is computed at once.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Lengths = NDArray[np.int64]

CUT_OFFS = (64, 96, 110, 128, 160, 192, 256, 384, 512)
PERCENTILES = (1, 5, 25, 50, 75, 90, 95, 99)
BINS = 40
# As many rows may be dropped without a word in the recipe.
FEW = 0.01


@dataclass(frozen=True)
class CutOff:
    """What cutting rows at `tokens` does. Shares are of 1; time and memory relative to no cut.

    `padding_wasted`: of a batch of rows as they come, padded to its longest as most trainers do.
    """

    tokens: int
    rows_cut: float
    tokens_kept: float
    padding_wasted: float
    step_time: float
    memory: float


def length_statistics(lengths: Lengths, batch_size: int, seed: int) -> dict[str, Any]:
    """Histogram, percentiles, cut-offs and a recommendation for rows of `lengths` [rows]."""
    table = [cut_off(lengths, tokens, batch_size, seed) for tokens in cut_offs(lengths)]
    counts, edges = histogram(lengths)
    return {
        "rows": len(lengths),
        "tokens": int(lengths.sum()),
        "longest": int(lengths.max()),
        "mean": float(lengths.mean()),
        "percentiles": {str(p): int(np.percentile(lengths, p, method="higher"))
                        for p in PERCENTILES},
        "histogram": {"counts": counts, "edges": edges},
        "cut_offs": [asdict(line) for line in table],
        "recommended": recommendation(table, lengths),
    }  # fmt: skip


def cut_offs(lengths: Lengths) -> list[int]:
    """64, 96, 110 ... 512, then 768, 1,024, 1,536 and so on: up to the first that cuts no row."""
    longest = int(lengths.max())
    levels = list(CUT_OFFS)
    while levels[-1] < longest:
        levels.append(levels[-1] * 3 // 2 if levels[-1] & (levels[-1] - 1) == 0 else
                      levels[-1] * 4 // 3)  # fmt: skip
    return levels[: next(i for i, level in enumerate(levels) if level >= longest) + 1]


def cut_off(lengths: Lengths, tokens: int, batch_size: int, seed: int) -> CutOff:
    """What it does to rows of `lengths` [rows] to be at most `tokens` long."""
    cut = np.minimum(lengths, tokens)
    kept = float(cut.sum() / lengths.sum())
    return CutOff(
        tokens=tokens,
        rows_cut=float((lengths > tokens).mean()),
        tokens_kept=kept,
        padding_wasted=padding_wasted(cut, batch_size, seed),
        step_time=kept,
        memory=min(1.0, tokens / float(lengths.max())),
    )


def padding_wasted(lengths: Lengths, batch_size: int, seed: int) -> float:
    """The share of padding in batches of `batch_size` rows in an order drawn by `seed`."""
    order = np.random.default_rng(seed).permutation(len(lengths))
    starts = np.arange(0, len(lengths), batch_size)
    longest = np.maximum.reduceat(lengths[order], starts)
    rows = np.diff([*starts, len(lengths)])
    return float(1 - lengths.sum() / (longest * rows).sum())


def histogram(lengths: Lengths) -> tuple[list[int], list[int]]:
    """Counts in at most 40 bins of equal width, and the bins' edges: whole numbers of tokens."""
    low, high = int(lengths.min()), int(lengths.max())
    width = max(1, -(-(high - low + 1) // BINS))
    edges = np.arange(low, high + width + 1, width)
    counts, _ = np.histogram(lengths, edges)
    return counts.tolist(), edges.tolist()


def recommendation(table: Sequence[CutOff], lengths: Lengths) -> dict[str, Any]:
    """The smallest cut-off that at most 1% of the rows exceed, and why."""
    line = next(line for line in table if line.rows_cut <= FEW)
    over = int((lengths > line.tokens).sum())
    if not over:
        reason = f"no row is longer: the longest has {int(lengths.max()):,} tokens"
    else:
        rows = "row is" if over == 1 else "rows are"
        reason = (
            f"{over:,} {rows} longer ({line.rows_cut:.1%}); a step takes "
            f"{line.step_time:.0%} of the time and its longest row {line.memory:.0%} of the memory"
        )
    return {"max_length": line.tokens, "reason": reason}


def number_tokens(tokenizer: Any) -> dict[str, Any]:
    """How a tokenizer splits 0 to 999: how many are a single token, and into how many at most."""
    numbers = [str(n) for n in range(1000)]
    split = tokenizer(numbers, add_special_tokens=False).input_ids
    counts = np.array([len(ids) for ids in split])
    worst = int(counts.argmax())
    return {
        "single": int((counts == 1).sum()),
        "most": int(counts.max()),
        "example": {
            "number": numbers[worst],
            "tokens": tokenizer.convert_ids_to_tokens(split[worst]),
        },
    }
