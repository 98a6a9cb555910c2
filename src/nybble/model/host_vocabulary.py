"""Embedding and head in the host's memory, where a card has no room for them.

An 8B model's are 2.1 GB in 16 bits. The engine looks tokens up on the host and reads the head in
slices; the stock model's own forward, in generation, computes both on the host.
"""

from typing import Any

from accelerate.hooks import remove_hook_from_submodules
from torch import Tensor, nn


def host_map(device: str) -> dict[str, str]:
    """Where the parts of a Llama-shaped model are loaded to.

    The whole, "", is not named: Accelerate would then place every part on its device first.
    """
    there = dict.fromkeys(("model.layers", "model.norm", "model.rotary_emb"), device)
    return {"model.embed_tokens": "cpu", "lm_head": "cpu"} | there


def leave_on_host(model: Any, device: str) -> None:
    """Make of a model loaded by `host_map` one whose layers are on `device` and stay there.

    Accelerate's hooks would carry the two to the device and back at each forward.
    """
    remove_hook_from_submodules(model)
    del model.hf_device_map  # PEFT would dispatch it again
    model.tie_weights()
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    for table in {id(module.weight): module.weight for module in (embedding, head)}.values():
        table.data = table.data.pin_memory()
    for module in (embedding, head):
        module.register_forward_pre_hook(_to_host)
        module.register_forward_hook(lambda module, inputs, made: made.to(device))


def _to_host(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(tensor.cpu() for tensor in inputs)
