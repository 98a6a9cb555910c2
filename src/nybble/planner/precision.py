"""The precision policy, written once (law 3).

Adapters and optimiser state are fp32 always. Compute is bf16 where the GPU has it, which means
compute capability 8.0 and up (torch's `is_bf16_supported()` also says yes to a T4's emulation);
fp16 with loss scaling on older GPUs; bf16 on CPUs with AMX; else fp32. AVX512-BF16 alone is no
reason for bf16: docs/decisions/cpu-precision.md has the figures.
"""

from nybble.planner.device import Device
from nybble.runs.errors import InputError


def compute_dtype(device: Device, asked: str = "auto") -> str:
    """The name of the dtype to compute in. Raises `InputError` for one that the device lacks."""
    if asked == "float16" and device.kind == "cpu":
        raise InputError(
            "model.dtype = 'float16': CPUs do not compute in fp16.",
            "Say model.dtype=auto or model.dtype=float32.",
        )
    if asked == "bfloat16" and device.kind == "cuda" and device.capability < (8, 0):
        raise InputError(
            f"model.dtype = 'bfloat16': {device.name} has no bf16 units, only an emulation.",
            "Say model.dtype=auto: it takes fp16 with loss scaling there.",
        )
    if asked != "auto":
        return asked
    if device.kind == "cuda":
        return "bfloat16" if device.capability >= (8, 0) else "float16"
    return "bfloat16" if device.has_amx else "float32"
