"""What PEFT would pass over in silence, refused by the name of the recipe's field.

PEFT raises only when none of the named modules is there, takes a layer without a DoRA of its own
as plain LoRA, and adapts a tied embedding apart from its head.
"""

import dataclasses
from typing import Any

from peft import PeftModel
from peft.tuners.lora import LoraLayer
from peft.utils import ModulesToSaveWrapper
from torch import nn

from nybble.recipe.schema import LoraPart
from nybble.runs.errors import InputError

ADAPTER = "default"
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


def refuse_tables_trained_twice(part: LoraPart) -> None:
    """Raise `InputError` where new tokens' rows are learnt and `part` trains their table, too."""
    targets = part.target_modules if isinstance(part.target_modules, list) else []
    for field, names in (("target_modules", targets), ("modules_to_save", part.modules_to_save)):
        for name in VOCABULARY:
            if name in names:
                raise InputError(
                    f"lora.{field} has {name}, whose rows of model.new_tokens are learnt by "
                    "themselves.",
                    f"Leave {name} out of lora.{field}, or leave out model.new_tokens.",
                )


def refuse_quantised_whole(model: Any, part: LoraPart) -> None:
    """Raise `InputError` where a module that `part` trains whole holds quantised weights."""
    for path, module in model.named_modules():
        name = next((name for name in part.modules_to_save if path.endswith(name)), None)
        if name and not all(weight.is_floating_point() for weight in module.parameters()):
            raise InputError(
                f"lora.modules_to_save has {name!r}, and {path} is quantised: its weights cannot "
                "be trained whole.",
                f"Leave {name} out of lora.modules_to_save, or say model.quantization=none.",
            )


def refuse_what_was_left_out(model: PeftModel, part: LoraPart) -> None:
    """Raise `InputError` for what `part` names and PEFT did not adapt as asked."""
    adapted = {n: m for n, m in model.named_modules() if isinstance(m, LoraLayer)}
    saved = [n for n, m in model.named_modules() if isinstance(m, ModulesToSaveWrapper)]
    if isinstance(part.target_modules, list):
        _all_met("target_modules", part.target_modules, list(adapted), model)
    _all_met("modules_to_save", part.modules_to_save, saved, model)
    found = turned_plain(model)
    if found:
        raise InputError(
            f"lora.variant = 'dora': PEFT has no DoRA for {found[0]} ({found[1]}).",
            "Leave that module out of lora.target_modules, or say lora.variant=lora.",
        )


def refuse_plain_lora(model: PeftModel, where: str) -> None:
    """Raise `InputError` when the adapter from `where` is a variant that would be plain LoRA here.

    On 4-bit linears PEFT knows fewer variants than on plain ones, and passes over the others.
    """
    found = turned_plain(model)
    if found:
        wanted = ", ".join(wanted_variants(model))
        raise InputError(
            f"The adapter in {where} has {wanted}, which PEFT leaves out on {found[1]}: it would "
            "be plain LoRA.",
            "Begin with new adapters; or say model.quantization=none, where PEFT knows more kinds.",
        )


def turned_plain(model: PeftModel) -> tuple[str, str] | None:
    """A module, and its kind, whose adapter is to be a variant of LoRA, but is plain LoRA."""
    if not wanted_variants(model):
        return None
    layers = ((n, m) for n, m in model.named_modules() if isinstance(m, LoraLayer))
    return next(((n, type(m).__name__) for n, m in layers if ADAPTER not in m.lora_variant), None)


def wanted_variants(model: PeftModel) -> list[str]:
    """The variants of LoRA that its adapter's configuration asks for, by PEFT's own marks."""
    config = model.peft_config[ADAPTER]
    fields = {field.name: field.metadata for field in dataclasses.fields(config)}
    named = [name for name, marks in fields.items()
             if (marks.get("is_lora_variant") or name == "use_qalora")
             and getattr(config, name)]  # fmt: skip
    init = fields["init_lora_weights"].get("lora_variants", ())
    return [*named, *(kind for kind in init if config.init_lora_weights == kind)]


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
