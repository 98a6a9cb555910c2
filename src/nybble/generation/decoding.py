"""A decode loop over a static key-value cache, for the families that the engine knows too.

Each prompt is computed once, however many answers it gets. Keys and values lie in tensors of their
final length, so memory does not grow on the way. Rows that are done leave once they are half of the
batch: what is computed is at most twice what is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from nybble.generation.batches import Ids
from nybble.generation.choice import Chooser
from nybble.generation.ending import Ending, Stream
from nybble.generation.next_step import NextStep
from nybble.generation.prefill import positions_of, prefill
from nybble.generation.sampling import Sampling


@dataclass
class Rows:
    """What goes on: each row of a batch, padded on the left.

    `numbers`: each row's place in the batch as it began; `mask` [rows, length] is 0 where a prompt
    is padded and 1 from its first token to the last that an answer can have, as `positions`
    [rows, length] counts them; `ids` [rows, so far]; `cache` of keys and values [rows, length].
    """

    numbers: list[int]
    ids: Tensor
    mask: Tensor
    positions: Tensor
    chooser: Chooser
    cache: Cache

    def take(self, places: Sequence[int]) -> "Rows":
        """The rows at `places`, in that order, as often as they are named."""
        index = torch.tensor(places, device=self.ids.device)
        self.cache.reorder_cache(index)
        return replace(
            self,
            numbers=[self.numbers[i] for i in places],
            ids=self.ids[index],
            mask=self.mask[index],
            positions=self.positions[index],
            chooser=self.chooser.take(index),
        )


def decode(
    model: Any,
    prompts: Sequence[Ids],
    answers_each: int,
    sampling: Sampling,
    numbers: Tensor | None,
    ending: Ending,
    stream: Stream | None = None,
) -> list[Ids]:
    """The ids of each prompt's answers, one after another, with the token that ended them.

    `numbers` [prompts x answers_each, steps] are the draws of `choice.uniforms`.
    """
    written: list[Ids] = [[] for _ in range(len(prompts) * answers_each)]
    rows, logits = _begin(model, prompts, answers_each, sampling, numbers)
    stops = torch.tensor(sorted(ending.stop_ids), dtype=torch.long, device=logits.device)
    active, next_step = set(rows.numbers), NextStep(model)
    if stream:
        stream.put(rows.ids)
    for step in range(sampling.max_new_tokens):
        if step < sampling.min_new_tokens:
            logits[:, stops] = -torch.inf
        tokens = rows.chooser(rows.ids, logits).argmax(1)
        for number, token in zip(rows.numbers, tokens.tolist(), strict=True):
            if number in active:
                written[number].append(token)
                if _done(written[number], ending):
                    active.remove(number)
        if stream:
            stream.put(tokens)
        if not active or step + 1 == sampling.max_new_tokens:
            break
        rows.ids = torch.cat([rows.ids, tokens[:, None]], dim=1)
        if 2 * len(active) <= len(rows.numbers):
            rows = rows.take([i for i, number in enumerate(rows.numbers) if number in active])
        at = rows.ids.shape[1] - 1
        left = sampling.max_new_tokens - 1 - step
        logits = next_step(
            rows.ids[:, at:], rows.mask, rows.positions[:, at : at + 1], rows.cache, left
        )
    if stream:
        stream.end()
    return written


def _begin(
    model: Any,
    prompts: Sequence[Ids],
    answers_each: int,
    sampling: Sampling,
    numbers: Tensor | None,
) -> tuple[Rows, Tensor]:
    """Each prompt's row as often as it is to be answered, and the logits [rows, vocabulary]."""
    ids, mask, cache, logits = prefill(model, prompts, sampling.max_new_tokens)
    if answers_each > 1:
        each = torch.arange(len(prompts), device=ids.device).repeat_interleave(answers_each)
        cache.reorder_cache(each)
        ids, mask, logits = ids[each], mask[each], logits[each]
    chooser = Chooser(sampling, mask[:, : ids.shape[1]], numbers)
    return Rows(list(range(len(ids))), ids, mask, positions_of(mask), chooser, cache), logits


def _done(ids: Ids, ending: Ending) -> bool:
    return ids[-1] in ending.stop_ids or (bool(ending.stop) and ending.stopped(ids))
