"""What an adapter holds beside sums, for merging: modules trained whole, and rows of new tokens."""

from dataclasses import dataclass
from typing import Any

import torch
from peft.utils.other import ModulesToSaveWrapper, TrainableTokensWrapper
from torch import Tensor

from nybble.model.adapted import ADAPTER


@dataclass(frozen=True)
class TrainedModules:
    """By the names that the base's files have for their weights.

    `whole`: weights that take the place of the base's. `tokens`: layers that know rows of theirs.
    `needed`: those of both that the base's files must hold; a tied head need not be there.
    """

    whole: dict[str, Tensor]
    tokens: dict[str, Any]
    needed: list[str]


def trained_modules(base: Any) -> TrainedModules:
    """What PEFT has wrapped in `base`, a model with adapters on it."""
    whole: dict[str, Tensor] = {}
    tokens: dict[str, Any] = {}
    for path, module in base.named_modules():
        if isinstance(module, ModulesToSaveWrapper):
            own = module.modules_to_save[ADAPTER]
            whole |= {f"{path}.{name}": value.detach() for name, value in own.named_parameters()}
        elif isinstance(module, TrainableTokensWrapper):
            tokens[f"{path}.weight"] = module.token_adapter
    head = base.get_output_embeddings()
    tied = getattr(base.config, "tie_word_embeddings", False)
    spared = {f"{path}.weight" for path, module in base.named_modules() if tied and module is head}
    return TrainedModules(whole, tokens, [name for name in (*whole, *tokens) if name not in spared])


def with_new_rows(stored: Tensor, layer: Any) -> Tensor:
    """`stored` [tokens, hidden] of the base's file, with the rows that `layer` has learnt, in fp32.

    Rows that it has beyond the file's are those that room was made for.
    """
    table = layer.base_layer.weight.detach().float().cpu()
    merged = torch.cat([stored.float(), table[len(stored) :]])
    index = torch.tensor(layer.token_indices[ADAPTER])
    return merged.index_copy(0, index, layer.trainable_tokens_delta[ADAPTER].detach().float().cpu())
