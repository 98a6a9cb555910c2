"""Rows for new tokens in a model's embedding and head."""

from pathlib import Path
from typing import Any

import torch

from nybble.data.tokenizer import add_tokens, load_tokenizer
from nybble.recipe.schema import ModelPart


@torch.no_grad()
def make_room(model: Any, folder: Path, part: ModelPart) -> None:
    """Give the new tokens of `part` rows [tokens, hidden] in the tables of `model`.

    Each begins as the mean of the tokens that its text was written with before, so that the model
    starts close to what it knew. A vocabulary that is padded may have the rows already.
    """
    tokenizer = load_tokenizer(folder, part.trust_remote_code)
    pieces = [tokenizer(text, add_special_tokens=False).input_ids for text in part.new_tokens]
    ids = add_tokens(tokenizer, part.new_tokens)
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if len(tokenizer) > embedding.weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    for table in {id(module.weight): module.weight for module in (embedding, head)}.values():
        for row, before in zip(ids, pieces, strict=True):
            table[row] = table[before].float().mean(0).to(table.dtype)
