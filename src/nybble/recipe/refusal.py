"""What pydantic found wrong with a recipe, as two lines that a person can act on."""

import difflib
import re
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from nybble.recipe.row_parts import RowRange
from nybble.recipe.schema import Recipe, sections
from nybble.runs.errors import InputError

# Names that tutorials still use, and today's.
RENAMED = {
    "warmup_ratio": "train.warmup_steps (a value under 1 is a share)",
    "tokenizer": "model.base (its own tokenizer is used)",
    "torch_dtype": "model.dtype",
    "bnb_4bit_compute_dtype": "model.dtype",
    "load_in_4bit": "model.quantization: nf4",
    "evaluation_strategy": "train.eval_steps",
    "eval_strategy": "train.eval_steps",
    "per_device_train_batch_size": "train.batch_size (rows per optimiser step)",
    "gradient_accumulation_steps": "train.batch_size (rows per optimiser step)",
    "group_by_length": "nothing: rows of a step are always batched by length",
    "max_seq_length": "data.max_length",
    "load_in_8bit": "model.quantization: int8",
    "additional_special_tokens": "model.new_tokens",
    "use_rslora": "lora.variant: rslora",
    "use_dora": "lora.variant: dora",
    "lora_r": "lora.r",
    "rank": "lora.r",
    "epochs": "train.num_train_epochs",
    "lr": "train.learning_rate",
}

_UNKNOWN_KEY = ("extra_forbidden", "invalid_key")
_PLAIN = ("int_type", "float_type", "string_type")
_MEMBER = re.compile(rf"^(int|float|str)$|\b{RowRange.__name__}\b")


def refusal(error: ValidationError, source: str) -> InputError:
    """The first problem of a failed validation, as two lines; unknown keys come first."""
    problems = sorted(_meant(error), key=lambda p: p["type"] not in _UNKNOWN_KEY)
    problem = problems[0]
    # A union's location names the member that was tried: not a field of ours.
    path = [part for part in map(str, problem["loc"]) if not _MEMBER.search(part)]
    section, fields = _section_at(path)
    key = ".".join(path[: len(section) + 1])
    if problem["type"] in _UNKNOWN_KEY:
        return _unknown_key(source, section, path[-1], fields)
    if problem["type"] == "missing":
        needed = {"model": "model.base", "data": "data.train"}.get(key, key)
        return InputError(
            f"{source}: {needed} is missing.", f"Add it to the recipe, or say {needed}=VALUE."
        )
    description = fields[path[len(section)]].description if len(path) > len(section) else None
    messages = [
        p["msg"]
        for p in problems
        if p["loc"][: len(section) + 1] == problem["loc"][: len(section) + 1]
    ]
    messages = [message.removeprefix("Value error, ") for message in messages]
    reason = " or ".join(dict.fromkeys(m[0].lower() + m[1:] for m in messages))
    if problem["type"] in ("model_type", "model_attributes_type"):
        reason = "must be a mapping of fields"
    # A rule over several fields was broken: the section's whole content would say too much.
    given = "" if isinstance(problem["input"], dict) else f" = {problem['input']!r}"
    return InputError(
        f"{source}: {key or 'recipe'}{given}: {reason}.",
        f"{key} is: {description}." if description else "Give a value that fits.",
    )


def _meant(error: ValidationError) -> list[Any]:
    """The problems, without those of a union's members that nobody meant: a number, where a
    mapping is given, or a mapping, where a number is."""
    problems = error.errors()
    fitting = [
        p
        for p in problems
        if (p["type"] in _PLAIN, isinstance(p["input"], dict)) != (True, True)
        and p["type"] != "model_type"
    ]
    return fitting or problems


def _section_at(path: list[str]) -> tuple[list[str], dict[str, Any]]:
    """The longest part of `path` that names sections, and the fields of the last of them."""
    model: type[BaseModel] = Recipe
    section: list[str] = []
    for part in path:
        field = model.model_fields.get(part)
        kind = _section_in(field.annotation) if field else None
        if kind is None or part == path[-1]:
            break
        section.append(part)
        model = kind
    return section, dict(model.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, or may hold."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _unknown_key(source: str, section: list[str], key: str, fields: dict[str, Any]) -> InputError:
    name = ".".join([*section, key])
    if key in RENAMED:
        return InputError(f"{source}: unknown key {name}.", f"Today's name is {RENAMED[key]}.")
    near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
    if near:
        fix = f"Did you mean {'.'.join([*section, near[0]])}?"
    else:
        elsewhere = [
            f"{name}.{key}" for name, part in sections().items() if key in part.model_fields
        ]
        known = f"Known here: {', '.join(fields)}."
        fix = f"Did you mean {elsewhere[0]}?" if elsewhere else known
    return InputError(f"{source}: unknown key {name}.", fix)
