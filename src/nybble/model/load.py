"""Loading a base model: quantised as the recipe says, as it was quantised before, or as it is."""

import json
import logging
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from nybble.model.gpu_check import refuse_unfit_bitsandbytes
from nybble.model.host_vocabulary import host_map, leave_on_host
from nybble.model.new_tokens import make_room
from nybble.planner.plan import Plan
from nybble.recipe.schema import ModelPart
from nybble.runs.errors import InputError


def load_base(folder: Path, part: ModelPart, plan: Plan) -> Any:
    """The model in `folder`, its weights frozen, on the plan's device.

    With `quantization` nf4 or fp4 every linear but the head is held in 4 bits with double
    quantisation (Dettmers et al. 2023, QLoRA), with int8 in 8 (Dettmers et al. 2022, LLM.int8()).
    A base that is quantised already is loaded as it is. Everything else is in the compute dtype.
    `new_tokens` get rows of their own. The type is the architecture's own.
    """
    transformers.utils.logging.disable_progress_bar()
    dtype = getattr(torch, plan.compute_dtype)
    model = _from_pretrained(folder, part, plan, dtype)
    if part.new_tokens:
        make_room(model, folder, part)
    model.requires_grad_(False)
    if plan.host_vocabulary:
        leave_on_host(model, plan.device)
    for module in model.modules():
        if hasattr(module, "compute_type_is_set"):  # bitsandbytes' Linear4bit
            module.compute_dtype, module.compute_type_is_set = dtype, True
            keep_weights_trainable_on_cpu(module)
            if plan.device == "cpu":
                _check_blocks(module, part)
    if plan.recompute_layers:
        model.gradient_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": False})
    model.config.use_cache = False
    return model


def _quantization(kind: str, plan: Plan, dtype: torch.dtype) -> BitsAndBytesConfig:
    """What transformers is told: nf4 or fp4 with nested scales, or int8."""
    on_host = plan.host_vocabulary  # lets modules be on the host, also those of 4-bit models
    if kind == "int8":
        # It would say for each linear at each step that it casts its input to fp16.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_enable_fp32_cpu_offload=on_host)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=kind,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_enable_fp32_cpu_offload=on_host,
    )


def _check_blocks(linear: Any, part: ModelPart) -> None:
    """Refuse what bitsandbytes 0.50 dequantises wrongly on CPUs: blocks that span two rows."""
    blocksize = linear.weight.quant_state.blocksize
    if linear.in_features % blocksize:
        raise InputError(
            f"{part.base}: a linear of {linear.in_features} inputs, no multiple of {blocksize}, "
            "comes out wrong in 4 bits on a CPU.",
            "Say model.quantization=none, or train it on a GPU.",
        )


def keep_weights_trainable_on_cpu(linear: Any) -> None:
    """Keep bitsandbytes from repacking a 4-bit weight for AVX512-BF16 inference.

    It does so at the first forward in eval mode, and keeps the packed form afterwards: a layer that
    was evaluated once then trains without a gradient to its input, and in bf16. See
    docs/decisions/cpu-repacking.md.
    """
    linear.support_avx512bf16_for_cpu = False


def _from_pretrained(folder: Path, part: ModelPart, plan: Plan, dtype: torch.dtype) -> Any:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    stored = config.get("quantization_config")
    if stored and stored.get("quant_method") != "bitsandbytes":
        raise InputError(
            f"{part.base} is quantised by {stored.get('quant_method')}: it cannot be trained on.",
            "Take the original model, or one quantised by bitsandbytes (names end in -bnb-4bit).",
        )
    options: dict[str, Any] = {}  # even a None here would hide the config's own quantisation
    if stored or part.quantization != "none":
        refuse_unfit_bitsandbytes(plan.device)
    if part.quantization != "none" and not stored:
        options["quantization_config"] = _quantization(part.quantization, plan, dtype)
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map=host_map(plan.device) if plan.host_vocabulary else {"": plan.device},
            trust_remote_code=part.trust_remote_code,
            output_loading_info=True,
            **options,
        )
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        # Of torch's own kinds of RuntimeError, out of memory among them, a model tells nothing.
        if isinstance(error, RuntimeError) and type(error) is not RuntimeError:
            raise
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{part.base} cannot be loaded: {reason[:200]}",
            "Check model.base: it must be a causal language model that transformers knows.",
        ) from None
    missing = sorted(found["missing_keys"])
    if missing:
        # transformers would go on with random numbers in their place.
        raise InputError(
            f"{part.base} lacks {len(missing):,} of its weights: {', '.join(missing[:2])}"
            f"{', ...' if len(missing) > 2 else ''}.",
            "Copy or download the model again; weights and config.json must belong together.",
        )
    return model
