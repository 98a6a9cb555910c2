"""How likely a model finds given continuations: the sum of their tokens' log probabilities.

Only the positions that predict a continuation's tokens reach the head, some at a time, so no tensor
of a whole batch's logits ever exists. Rows are padded on the right, where a causal model never
looks, and what several continuations share, such as the prompt of labels that are one token each,
is computed once.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor

from nybble.generation.batches import Ids, in_batches
from nybble.generation.prefill import knows, refuse_nan
from nybble.model.device import compute_device

# Logits held at once, in fp32: of a vocabulary of 128,256, those of 500 positions.
TILE_BYTES = 256_000_000


@dataclass(frozen=True)
class Likelihood:
    """`log_prob`: natural logarithm of a continuation's probability, the sum over its `tokens`."""

    log_prob: float
    tokens: int


@dataclass
class _Row:
    """An input, and what is asked of it: by continuation, positions and the tokens after them."""

    ids: Ids
    asked: list[tuple[int, range, Ids]]


@torch.no_grad()
def log_likelihoods(
    model: Any,
    prompts: Sequence[Ids],
    continuations: Sequence[Ids],
    batch_tokens: int,
) -> list[Likelihood]:
    """For each continuation how likely it is after the prompt at the same place.

    At most `batch_tokens` tokens are computed at once. The first token of a continuation without a
    prompt has nothing that predicts it, and is not counted. Softmax is in fp32, whatever the
    model computes in; sums are in fp64.
    """
    model.eval()
    found = [Likelihood(0.0, 0)] * len(prompts)
    rows = _rows(prompts, continuations)

    def score(chosen: list[int]) -> None:
        for place, log_probs in _scored(model, [rows[i] for i in chosen]):
            found[place] = Likelihood(math.fsum(log_probs), len(log_probs))

    in_batches([len(row.ids) for row in rows], batch_tokens, 0, score)
    return found


def likeliest(scores: Sequence[Likelihood]) -> int:
    """The place of the most likely of several continuations, the first where some are equal."""
    values = [score.log_prob for score in scores]
    return values.index(max(values))


def _scored_tokens(prompt: Ids, continuation: Ids) -> int:
    return len(continuation) - (not prompt and bool(continuation))


def _rows(prompts: Sequence[Ids], continuations: Sequence[Ids]) -> list[_Row]:
    """One row for each different input; a continuation's last token predicts nothing."""
    rows: dict[tuple[int, ...], _Row] = {}
    for place, (prompt, continuation) in enumerate(zip(prompts, continuations, strict=True)):
        whole = [*prompt, *continuation]
        count = _scored_tokens(prompt, continuation)
        if count:
            row = rows.setdefault(tuple(whole[:-1]), _Row(whole[:-1], []))
            last = len(whole) - 1
            row.asked.append((place, range(last - count, last), whole[len(whole) - count :]))
    return list(rows.values())


def _scored(model: Any, rows: Sequence[_Row]) -> Iterator[tuple[int, list[float]]]:
    """Each continuation's place, and the log probabilities of its tokens."""
    device = compute_device(model)
    ids = torch.zeros(len(rows), max(len(row.ids) for row in rows), dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = torch.tensor(row.ids)
    asked = [(number, *what) for number, row in enumerate(rows) for what in row.asked]
    at = torch.tensor([(number, at) for number, _, places, _ in asked for at in places])
    targets = torch.tensor([token for *_, tokens in asked for token in tokens], device=device)
    tiles = _log_probs(model, ids.to(device), at.to(device), targets)
    log_probs = refuse_nan(torch.cat([tile.cpu() for tile in tiles])).tolist()
    start = 0
    for _, place, places, _ in asked:
        yield place, log_probs[start : start + len(places)]
        start += len(places)


def _log_probs(model: Any, ids: Tensor, at: Tensor, targets: Tensor) -> Iterator[Tensor]:
    """Log probabilities of `targets` [asked] at rows and positions `at` [asked, 2], in tiles."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    tile = max(1, TILE_BYTES // (4 * inner.config.get_text_config().vocab_size))
    if knows(model):
        hidden = inner.model(input_ids=ids, use_cache=False).last_hidden_state
        hidden = hidden[at[:, 0], at[:, 1]]
        for start in range(0, len(targets), tile):
            yield _picked(inner.lm_head(hidden[start : start + tile]), targets[start:][:tile])
        return
    # What comes after the head of other families only they know: all rows at needed positions.
    needed, column = torch.unique(at[:, 1], return_inverse=True)
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=needed).logits
    for start in range(0, len(targets), tile):
        rows, columns = at[start:, 0][:tile], column[start:][:tile]
        yield _picked(logits[rows, columns], targets[start:][:tile])


def _picked(logits: Tensor, targets: Tensor) -> Tensor:
    """Log probabilities [asked] in fp32 of `targets` under `logits` [asked, vocabulary]."""
    wide = logits.float()
    return wide.gather(1, targets[:, None])[:, 0] - wide.logsumexp(1)
