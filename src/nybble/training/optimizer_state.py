"""What an optimiser remembers, as named tensors: for safetensors, without a pickle.

    PARAMETER.exp_avg, PARAMETER.exp_avg_sq, PARAMETER.step                   torch's AdamW
    PARAMETER.state1, PARAMETER.state2, PARAMETER.step                        bitsandbytes', 32 bits
    and PARAMETER.absmax1, PARAMETER.qmap1, PARAMETER.absmax2, ...            its 8-bit ones

A count that the optimiser holds as a plain int, as bitsandbytes does, is a tensor [] of int64.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nybble.model.adapters import trainable_parameters
from nybble.runs.errors import InputError


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies on the host of all that `optimizer` knows of the trained parameters of `model`."""
    return {
        f"{name}.{key}": _tensor(value)
        for name, parameter in trainable_parameters(model).items()
        for key, value in optimizer.state.get(parameter, {}).items()
    }


@torch.no_grad()
def allocate(optimizer: Any) -> None:
    """Make all that `optimizer` will remember, before its first step.

    Else memory could run out in the middle of that step, with some parameters updated.
    """
    held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter in held:
        if optimizer.state.get(parameter):
            continue
        if hasattr(optimizer, "init_state"):
            _init_state(optimizer, parameter)
        else:
            optimizer.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }


def restore_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put back what `optimizer_tensors` gave, bit for bit.

    Raises `InputError` when the tensors are of another optimiser or of other parameters.
    """
    parameters = trainable_parameters(model)
    saved: dict[str, dict[str, Tensor]] = {}
    for full, tensor in tensors.items():
        name, _, key = full.rpartition(".")
        saved.setdefault(name, {})[key] = tensor
    paging = hasattr(optimizer, "init_state")  # bitsandbytes'
    own = "state1" if paging else "exp_avg"
    if saved.keys() - parameters.keys() or any(own not in state for state in saved.values()):
        raise InputError(
            "The checkpoint's optimizer.safetensors is of another optimiser or other modules.",
            "Resume with the recipe's own train.optim and lora fields.",
        )
    for name, state in saved.items():
        parameter = parameters[name]
        if paging:
            _fill(optimizer, parameter, state)
        else:
            optimizer.state[parameter] = {
                key: value.to(parameter.device, copy=True) for key, value in state.items()
            }


def _fill(optimizer: Any, parameter: nn.Parameter, saved: Mapping[str, Tensor]) -> None:
    """Have bitsandbytes make its own buffers, and fill them."""
    _init_state(optimizer, parameter)
    state = optimizer.state[parameter]
    for key, value in saved.items():
        if isinstance(state.get(key), Tensor):
            state[key].copy_(value)
        else:
            state[key] = value.item()


def _init_state(optimizer: Any, parameter: nn.Parameter) -> None:
    """Have bitsandbytes make its own buffers, which may be paged."""
    if not optimizer.initialized:
        optimizer.check_overrides()
        optimizer.to_gpu()
        optimizer.initialized = True
    groups = optimizer.param_groups
    group, place = next(
        (g, i) for g, group in enumerate(groups) for i, p in enumerate(group["params"])
        if p is parameter
    )  # fmt: skip
    optimizer.init_state(groups[group], parameter, group, place)


def _tensor(value: Tensor | int | float) -> Tensor:
    """A copy on the host: safetensors takes no two names of the same memory."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True).contiguous()
    return torch.tensor(value, dtype=torch.int64 if isinstance(value, int) else torch.float64)
