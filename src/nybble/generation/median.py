"""The median of the distribution that a model gives over numeric answers.

Under an absolute error the median is the best single answer, and the most likely number (greedy) is
not: for a skewed distribution the two lie far apart. Where 0 to 999 are single tokens the median is
exact, read off the next-token distribution; elsewhere it is that of sampled answers.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nybble.generation.batches import Ids, in_batches
from nybble.generation.cache import ModelCache
from nybble.generation.greedy import OnAnswer, generate_answers
from nybble.generation.prefill import next_logits
from nybble.generation.sampling import Sampling

LARGEST = 999
SAMPLES = 31
READABLE_SHARE = 0.5


def number_token_ids(tokenizer: Any) -> Tensor | None:
    """Ids [1000] of the tokens for 0 to 999, or None where some number takes several tokens."""
    encoded = tokenizer([str(n) for n in range(LARGEST + 1)], add_special_tokens=False).input_ids
    if any(len(ids) != 1 for ids in encoded):
        return None
    return torch.tensor([ids[0] for ids in encoded])


@torch.no_grad()
def exact_medians(
    model: Any,
    prompts: Sequence[Ids],
    number_ids: Tensor,
    pad_id: int,
    batch_tokens: int,
    on_answer: OnAnswer,
) -> None:
    """For each prompt the median over 0 to 999 of the next token's distribution.

    An empty answer is given where less than half of the probability lies on numbers: most answers
    drawn from such a distribution could not be read.
    """
    model.eval()

    def read(places: list[int]) -> None:
        logits = next_logits(model, [prompts[i] for i in places], pad_id)
        shares = logits.softmax(-1)[:, number_ids.to(logits.device)].double()
        mass = shares.sum(1)
        reached = shares.cumsum(1) >= 0.5 * mass[:, None]
        medians = reached.int().argmax(1).tolist()
        for place, median, readable in zip(places, medians, mass.tolist(), strict=True):
            on_answer(place, str(median) if readable >= READABLE_SHARE else "")

    in_batches([len(prompt) for prompt in prompts], batch_tokens, 1, read)


def sampled_medians(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Ids],
    max_new_tokens: int,
    batch_tokens: int,
    read: Callable[[str], float | None],
    on_answer: OnAnswer,
    seed: int,
    cache: ModelCache | None = None,
    stop: tuple[str, ...] = (),
) -> None:
    """For each prompt the median of 31 sampled answers; empty where fewer than half can be read.

    An answer ends before the first of the `stop` strings. The sampled answers are kept in `cache`.
    """
    drawn: dict[int, list[str]] = {}

    def collect(place: int, text: str) -> None:
        texts = drawn.setdefault(place, [])
        texts.append(text)
        if len(texts) == SAMPLES:
            values = [value for value in map(read, texts) if value is not None]
            readable = len(values) >= READABLE_SHARE * SAMPLES
            on_answer(place, f"{statistics.median(values):.15g}" if readable else "")
            del drawn[place]

    sampling = Sampling(temperature=1.0, max_new_tokens=max_new_tokens, seed=seed, stop=stop)
    generate_answers(
        model, tokenizer, prompts, sampling, batch_tokens, collect, SAMPLES, cache=cache
    )
