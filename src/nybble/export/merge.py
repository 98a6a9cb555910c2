"""One plain model from a quantised base and its adapter.

    merged = round(dequantise(W) + scaling * B A)

in the dtype that is asked for, rounded once; modules that were trained whole, and the rows of new
tokens, take the place of the base's. What was trained and judged is the base as NF4 holds
it, so layers without an adapter are written dequantised too, and everything that is not quantised
as it was. PEFT's `merge_and_unload` quantises the sum again, which erases most of the adapter: a
step of NF4 is wider than what it changes. The original 16-bit weights keep the adapter, but move
the base under it by the error of NF4, a few times as much as the adapter does.
"""

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bitsandbytes
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from nybble.export.merge_trained import TrainedModules, trained_modules, with_new_rows
from nybble.export.shards import ShardWriter, stored_tensors
from nybble.model.adapted import ADAPTER
from nybble.runs.atomic import write_json
from nybble.runs.errors import InputError, NybbleError


@dataclass(frozen=True)
class Merged:
    """What was written: names of rewritten weights, trained or only dequantised; files.

    `with_adapter` has an adapter's sum in it, or was trained whole.
    """

    with_adapter: list[str]
    dequantised: list[str]
    files: list[str]
    weight_bytes: int


def merge(
    model: PeftModel, base_folder: Path, folder: Path, dtype: torch.dtype, remote_code: bool
) -> Merged:
    """Write the merged weights and config.json into `folder`, one weight after the other.

    `model` is the base of `base_folder` as loaded, the adapter on it. Raises `InputError` for an
    adapter that is more than a sum, and `NybbleError` where the base's files name their tensors
    otherwise than the loaded model, or where `dtype` cannot hold a value.
    """
    check_mergeable(model)
    base = model.get_base_model()
    layers = _layers(base)
    untied = _untied_head(base)
    trained = trained_modules(base)
    writer = ShardWriter(folder)
    written: list[str] = []
    for name, tensor in _merged_tensors(base_folder, layers, untied, trained):
        if tensor.is_floating_point():
            rounded = tensor.to(dtype)
            if not torch.isfinite(rounded).all():
                raise NybbleError(
                    f"{name} does not fit into {str(dtype).removeprefix('torch.')}.",
                    "Merge with --dtype bfloat16 or --dtype float32.",
                )
            tensor = rounded
        writer.add(name, tensor)
        written.append(name)
    wanted = [f"{path}.weight" for path in layers]
    missing = sorted({*wanted, *trained.needed} - set(written))
    if missing:
        raise NybbleError(
            f"{base_folder} stores {missing[0]} and {len(missing) - 1} other weights under names "
            "of its own: they cannot be merged.",
            "Use the adapter with its base; adapter/ loads in plain PEFT.",
        )
    changes: dict[str, Any] = {"tie_word_embeddings": False} if untied else {}
    if trained.tokens:
        changes["vocab_size"] = base.config.vocab_size
    _write_config(base_folder, folder, dtype, changes)
    if remote_code:
        for path in base_folder.glob("*.py"):
            shutil.copyfile(path, folder / path.name)
    adapted = [f"{path}.weight" for path, module in layers.items() if isinstance(module, LoraLayer)]
    plain = [name for name in wanted if name not in set(adapted)]
    adapted += [name for name in written if name in trained.whole]
    return Merged(adapted, plain, writer.close(), writer.total_bytes)


def check_mergeable(model: PeftModel) -> None:
    """Raise `InputError` for an adapter that does more than change weights."""
    config = model.peft_config[ADAPTER]
    reasons = {
        "adapted parameters (target_parameters)": config.target_parameters,
        "trained biases": config.bias != "none" or config.lora_bias,
        "DoRA's magnitudes": config.use_dora,
        "repeated layers (layer_replication)": config.layer_replication,
    }
    found = [reason for reason, there in reasons.items() if there]
    if found:
        raise InputError(
            f"The adapter holds {', '.join(found)}: it is more than a sum with the base.",
            "Use it with its base in PEFT.",
        )
    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear8bitLt):
            raise InputError(
                "The base is quantised to 8 bits, which cannot be merged.", "Use it in PEFT."
            )


def merged_weight(module: Any, stored: Tensor | None = None) -> Tensor:
    """dequantise(W) + scaling * B A in fp32, of a quantised layer, an adapted one, or both.

    `stored` is the weight as the base's file has it, for layers that are not quantised.
    """
    layer = module.get_base_layer() if isinstance(module, LoraLayer) else module
    weight = layer.weight
    total: Tensor
    if isinstance(weight, bitsandbytes.nn.Params4bit):
        # In fp32, so that the sum is rounded only once.
        state = copy.copy(weight.quant_state)
        state.dtype = torch.float32
        total = bitsandbytes.functional.dequantize_4bit(weight.data, state)
    else:
        total = (weight.detach() if stored is None else stored.to(weight.device)).float()
    if isinstance(module, LoraLayer):
        total = total + module.get_delta_weight(ADAPTER).float()
    return total


def _layers(base: nn.Module) -> dict[str, Any]:
    """Modules whose weight has to be rewritten, by their path in the base: adapted or quantised."""
    found: dict[str, Any] = {}
    for path, module in base.named_modules():
        if isinstance(module, LoraLayer) or (
            isinstance(module, bitsandbytes.nn.Linear4bit) and not path.endswith(".base_layer")
        ):
            found[path] = module
    return found


@dataclass(frozen=True)
class _Head:
    """The embedding's and the head's paths, where they were one tensor and are to be two."""

    embedding: str
    head: str
    module: nn.Module


def _untied_head(base: Any) -> _Head | None:
    """An adapter on a tied embedding or head changes one of the two, so they must part."""
    embedding, head = base.get_input_embeddings(), base.get_output_embeddings()
    if not base.config.tie_word_embeddings:
        return None
    if not isinstance(embedding, LoraLayer) and not isinstance(head, LoraLayer):
        return None
    paths = {id(module): path for path, module in base.named_modules()}
    return _Head(paths[id(embedding)], paths[id(head)], head)


@torch.no_grad()
def _merged_tensors(
    folder: Path, layers: dict[str, Any], untied: _Head | None, trained: TrainedModules
) -> Iterator[tuple[str, Tensor]]:
    """The base's tensors in their order, the rewritten ones in fp32, the others as they were."""
    for name, stored in stored_tensors(folder):
        path, _, leaf = name.rpartition(".")
        quantised_path, inside, _ = name.partition(".weight.")
        if inside and quantised_path in layers:
            continue  # absmax, code book and state of a base that was stored quantised
        if untied and path == untied.head:
            continue
        if leaf == "weight" and path in layers:
            yield name, merged_weight(layers[path], stored)
        elif name in trained.whole:
            yield name, trained.whole[name].float()
        elif name in trained.tokens:
            yield name, with_new_rows(stored, trained.tokens[name])
        else:
            yield name, stored
        if untied and name == f"{untied.embedding}.weight":
            yield f"{untied.head}.weight", _head_weight(untied, stored)


def _head_weight(untied: _Head, embedding: Tensor) -> Tensor:
    if isinstance(untied.module, LoraLayer):
        return merged_weight(untied.module, embedding)
    return embedding.clone()


def _write_config(
    base_folder: Path, folder: Path, dtype: torch.dtype, changes: dict[str, Any]
) -> None:
    """The base's config.json, unquantised, in the new dtype, with `changes`."""
    config = json.loads((base_folder / "config.json").read_text(encoding="utf-8"))
    for outdated in ("quantization_config", "torch_dtype", "_name_or_path"):
        config.pop(outdated, None)
    config["dtype"] = str(dtype).removeprefix("torch.")
    write_json(folder / "config.json", config | changes)
