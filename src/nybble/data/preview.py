"""Rows token by token, to see what is trained on."""

from collections.abc import Sequence
from typing import Any

from nybble.data.render import TokenRow


def preview(rows: Sequence[TokenRow], tokenizer: Any) -> list[dict[str, Any]]:
    """For each row its ids, whether each is scored, each token's text, and the source row.

    `special` says which tokens are the tokenizer's own, such as the end of a text: a row's text
    that merely spells one is not. Part of a character has no text of its own and shows as �.
    """
    special = set(tokenizer.all_special_ids)
    return [
        {
            "source_row": row.number,
            "input_ids": row.input_ids,
            "scored": row.scored,
            "tokens": [tokenizer.decode([i]) for i in row.input_ids],
            "special": [i in special for i in row.input_ids],
        }
        for row in rows
    ]
