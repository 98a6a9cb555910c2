"""What PEFT would pass over in silence, refused by the name of the recipe's field.

PEFT raises only when none of the named modules is there, takes a layer without a DoRA of its own
as plain LoRA, and adapts a tied embedding apart from its head.
"""

from typing import Any

from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.utils import ModulesToSaveWrapper
from torch import nn

from nybble.recipe.schema import LoraPart
from nybble.runs.errors import InputError

VOCABULARY = ("embed_tokens", "lm_head")


def refuse_tied_adapters(model: Any, part: LoraPart) -> bool:
    """Whether `part` trains a vocabulary that is embedding and head at once.

    Raises `InputError` for LoRA on it: PEFT makes a pair of factors for each end, and an optimiser
    moves them apart, so that the table would no longer be one.
    """
    if not getattr(model.config, "tie_word_embeddings", False):
        return False
    targets = part.target_modules if isinstance(part.target_modules, list) else []
    for name in VOCABULARY:
        if name in targets:
            raise InputError(
                f"lora.target_modules has {name}, but this model's embed_tokens and lm_head are "
                "one table: PEFT would train an adapter for each end, apart.",
                "Leave it out, or train the table whole: lora.modules_to_save=[embed_tokens].",
            )
    return any(name in VOCABULARY for name in part.modules_to_save)


def refuse_what_was_left_out(model: PeftModel, part: LoraPart) -> None:
    """Raise `InputError` for what `part` names and PEFT did not adapt as asked."""
    adapted = {n: m for n, m in model.named_modules() if isinstance(m, LoraLayer)}
    saved = [n for n, m in model.named_modules() if isinstance(m, ModulesToSaveWrapper)]
    if isinstance(part.target_modules, list):
        _all_met("target_modules", part.target_modules, list(adapted), model)
    _all_met("modules_to_save", part.modules_to_save, saved, model)
    if part.variant != "dora":
        return
    for name, layer in adapted.items():
        if not all(layer.use_dora.get(adapter) for adapter in layer.lora_variant or {"": 0}):
            raise InputError(
                f"lora.variant = 'dora': PEFT has no DoRA for {name} ({type(layer).__name__}).",
                "Leave that module out of lora.target_modules, or say lora.variant=lora.",
            )


def _all_met(field: str, names: list[str], found: list[str], model: nn.Module) -> None:
    for name in names:
        if not any(path == name or path.endswith(f".{name}") for path in found):
            own = {path.rpartition(".")[2] for path, m in model.named_modules()
                   if isinstance(getattr(m, "weight", None), nn.Parameter)}  # fmt: skip
            own -= {"default", "base_layer"}
            raise InputError(
                f"lora.{field} has {name!r}, which the model does not have or PEFT cannot train.",
                f"It has {', '.join(sorted(own))}.",
            )
