"""Choosing the next token, each row of a batch by draws of its own.

One uniform number a row and step picks the token by the inverse of the distribution's cumulative
sum. The numbers follow from seed, place of the prompt and step alone: an answer does not depend on
which prompts happened to be in the same batch, and so not on how much memory was free.
"""

import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nybble.generation.sampling import Sampling


class Chooser:
    """A logits processor of transformers: penalty first, then all but the drawn token at -inf.

    `mask` [rows, width] is 0 where a prompt is padded, `uniforms` [rows, steps] as drawn by
    `uniforms()`; beams come as several rows in turn for each of the mask's.
    """

    def __init__(self, sampling: Sampling, mask: Tensor, uniforms: Tensor | None) -> None:
        self.sampling = sampling
        self.mask = mask.bool()
        self.uniforms = uniforms

    def take(self, rows: Tensor) -> "Chooser":
        """For those of its rows, in that order, as often as they are named."""
        uniforms = None if self.uniforms is None else self.uniforms[rows]
        return Chooser(self.sampling, self.mask[rows], uniforms)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores [rows, vocabulary] for the token after `input_ids` [rows, width + step]."""
        width = self.mask.shape[1]
        if self.sampling.repetition_penalty != 1:
            mask = self.mask.repeat_interleave(len(input_ids) // len(self.mask), dim=0)
            new = torch.ones_like(input_ids[:, width:], dtype=torch.bool)
            real = torch.cat([mask, new], dim=1)
            scores = penalised(scores, input_ids, real, self.sampling.repetition_penalty)
        if self.uniforms is None:
            return scores
        step = input_ids.shape[1] - width
        chosen = drawn(distribution(scores, self.sampling), self.uniforms[:, step])
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


def uniforms(sampling: Sampling, places: Sequence[int], answers_each: int) -> Tensor:
    """Numbers [places x answers_each, max_new_tokens] from 0 to 1, one a step, in float64."""
    rows = []
    for place in places:
        for answer in range(answers_each):
            stream = random.Random(f"answer {sampling.seed} {place} {answer}")
            rows.append([stream.random() for _ in range(sampling.max_new_tokens)])
    return torch.tensor(rows, dtype=torch.float64)


def penalised(scores: Tensor, ids: Tensor, real: Tensor, penalty: float) -> Tensor:
    """`scores` [rows, vocabulary] with the tokens of `ids` [rows, tokens] made less likely.

    Positive scores are divided by the penalty, negative ones multiplied. Where `real` is false is
    padding, which counts for nothing: its id may be the stop token's.
    """
    vocabulary = scores.shape[1]
    present = torch.zeros(len(scores), vocabulary + 1, dtype=torch.bool, device=scores.device)
    present.scatter_(1, ids.masked_fill(~real, vocabulary), True)
    weaker = torch.where(scores < 0, scores * penalty, scores / penalty)
    return torch.where(present[:, :vocabulary], weaker, scores)


def distribution(scores: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities [rows, vocabulary] in float64 after temperature, top-k and top-p, in turn."""
    scores = scores.double()
    # The largest becomes 0: no temperature, however small, can then overflow.
    scaled = (scores - scores.amax(1, keepdim=True)) / sampling.temperature
    if 0 < sampling.top_k < scaled.shape[1]:
        least = scaled.topk(sampling.top_k, dim=1).values[:, -1:]
        scaled = scaled.masked_fill(scaled < least, -torch.inf)
    shares = scaled.softmax(1)
    if sampling.top_p < 1:
        ordered, order = shares.sort(dim=1, descending=True, stable=True)
        before = ordered.cumsum(1) - ordered
        shares = shares.masked_fill(
            torch.zeros_like(shares, dtype=torch.bool).scatter(1, order, before >= sampling.top_p),
            0.0,
        )
    return shares / shares.sum(1, keepdim=True)


def drawn(shares: Tensor, numbers: Tensor) -> Tensor:
    """For each row of `shares` [rows, vocabulary] the token where its number [rows] falls."""
    reached = shares.cumsum(1)
    total = reached[:, -1]
    # Rounding could reach the total, and so a token behind the last that can be drawn.
    targets = torch.minimum(numbers * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(reached, targets[:, None], right=True)[:, 0]
