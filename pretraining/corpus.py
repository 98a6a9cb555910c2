"""The endless corpus that the mini model is pre-trained on, as token ids."""

import random
from collections.abc import Callable, Iterator

import numpy as np
from transformers import PreTrainedTokenizerFast

from chat_text import conversation
from code_text import function_text
from item_text import comparison_text, list_text, property_text, reading_text
from numbers_text import order_text, purse_text, sum_text

TEXTS: tuple[tuple[float, Callable[[random.Random], str]], ...] = (
    (0.42, property_text),
    (0.20, list_text),
    (0.08, reading_text),
    (0.02, comparison_text),
    (0.05, sum_text),
    (0.05, order_text),
    (0.03, purse_text),
    (0.08, function_text),
)
CHAT_SHARE = 0.07
ROW_TOKENS = 512


def documents(tokenizer: PreTrainedTokenizerFast, rng: random.Random) -> Iterator[str]:
    """Texts from beginning-of-text to end-of-text token, chats as the chat template draws them."""
    bos, eos = tokenizer.bos_token, tokenizer.eos_token
    makers = [make for _, make in TEXTS]
    weights = [weight for weight, _ in TEXTS]
    while True:
        if rng.random() < CHAT_SHARE:
            yield tokenizer.apply_chat_template(conversation(rng), tokenize=False)
        else:
            yield f"{bos}{rng.choices(makers, weights)[0](rng)}{eos}"


def token_rows(tokenizer: PreTrainedTokenizerFast, rows: int, seed: str) -> np.ndarray:
    """`rows` rows of 512 ids, each begun by a new document, the last document of a row cut off."""
    rng = random.Random(seed)
    source = documents(tokenizer, rng)
    out = np.empty((rows, ROW_TOKENS), dtype=np.uint16)
    backend, row, filled = tokenizer.backend_tokenizer, 0, 0
    while row < rows:
        batch = [next(source) for _ in range(512)]
        for encoding in backend.encode_batch_fast(batch, add_special_tokens=False):
            ids = encoding.ids[: ROW_TOKENS - filled]
            out[row, filled : filled + len(ids)] = ids
            filled += len(ids)
            if filled == ROW_TOKENS:
                row, filled = row + 1, 0
                if row == rows:
                    break
    return out
