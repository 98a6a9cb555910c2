"""Looking at the machine through torch."""

import platform
from typing import Any

import psutil
import torch

from nybble.planner.device import Device


def current_device() -> Device:
    """The first CUDA device where there is one, else the CPU."""
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        capability = torch.cuda.get_device_capability()
        return Device("cuda", torch.cuda.get_device_name(), capability, free)
    return Device(
        kind="cpu",
        name=platform.processor() or platform.machine(),
        capability=(0, 0),
        free_bytes=psutil.virtual_memory().available,
        has_amx=bool(torch.cpu._is_amx_tile_supported()),
    )


def compute_device(model: Any) -> torch.device:
    """Where `model`'s layers are; its embedding may wait on the host."""
    places = {parameter.device for parameter in model.parameters()}
    return next((place for place in places if place.type != "cpu"), torch.device("cpu"))
