"""The GPU: whether torch and bitsandbytes can use it, in which precision, and why not.

Facts are gathered in one place, and what they mean is decided by functions of them: so that every
case can be tested on a machine that has none of them.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from nybble.model.device import current_device
from nybble.model.finding import Finding
from nybble.planner.device import Device
from nybble.planner.precision import compute_dtype
from nybble.runs.errors import InputError

CUDA_TORCH = "Install a CUDA build of torch: https://pytorch.org/get-started/locally says how."
BITSANDBYTES_AGAIN = "Run: pip install --force-reinstall --no-deps bitsandbytes"

_NVIDIA = "0x10de"
_PCI = Path("/sys/bus/pci/devices")


@dataclass(frozen=True)
class GpuFacts:
    """What was seen. `cuda_build`: the CUDA or ROCm version torch was built for, None for a CPU
    build; `cards`: NVIDIA GPUs on the PCI bus; `driver`: its tools or kernel module are there;
    `visible`: CUDA_VISIBLE_DEVICES; `broken`: why no computation runs on a GPU, "" if one does."""

    devices: tuple[str, ...]
    cuda_build: str | None
    cards: int
    driver: bool
    visible: str | None
    broken: str


def gpu_findings() -> list[Finding]:
    """GPU, precision and bitsandbytes of this machine."""
    facts, device = gpu_facts(), current_device()
    usable = bool(facts.devices) and not facts.broken
    return [
        gpu_finding(facts),
        precision_finding(device),
        bitsandbytes_finding(*_bitsandbytes("cuda" if usable else "cpu")),
    ]


def gpu_facts() -> GpuFacts:
    """Look at torch, the PCI bus and the driver."""
    seen = torch.cuda.is_available()
    devices = tuple(map(_describe, range(torch.cuda.device_count()))) if seen else ()
    return GpuFacts(
        devices=devices,
        cuda_build=torch.version.cuda or torch.version.hip,
        cards=_nvidia_cards(_PCI),
        driver=Path("/proc/driver/nvidia/version").exists() or bool(shutil.which("nvidia-smi")),
        visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
        broken=_failure(_compute_on_gpu) if seen or torch.version.cuda else "",
    )


def gpu_finding(facts: GpuFacts) -> Finding:
    """Is there a GPU, does torch use it, and if not: why?"""
    if facts.devices and not facts.broken:
        return Finding("GPU", "ok", "; ".join(facts.devices))
    if facts.devices:
        fix = f"This torch has no code for it, or its driver is broken. {CUDA_TORCH}"
        return Finding("GPU", "error", f"{facts.devices[0]} fails: {facts.broken}", fix)
    if facts.visible is not None and facts.visible.strip() in ("", "-1") and facts.driver:
        found = f"hidden by CUDA_VISIBLE_DEVICES={facts.visible!r}"
        return Finding("GPU", "note", found, "Unset CUDA_VISIBLE_DEVICES to train on it.")
    if facts.driver and facts.cuda_build is None:
        return Finding("GPU", "error", "there, but this torch is a CPU build", CUDA_TORCH)
    if facts.driver:
        found = f"there, but torch cannot use it: {facts.broken}"
        fix = f"Install an NVIDIA driver that supports CUDA {facts.cuda_build}."
        return Finding("GPU", "error", found, fix)
    if facts.cards:
        found = "an NVIDIA card is there, but no driver"
        fix = "Install NVIDIA's driver; in a container, start it with --gpus all."
        return Finding("GPU", "note", found, fix)
    fix = "The bundled model trains on the CPU; anything larger wants an NVIDIA GPU."
    return Finding("GPU", "note", "none on this machine", fix)


def precision_finding(device: Device) -> Finding:
    """What will be computed in, by the precision policy, and why."""
    dtype = compute_dtype(device)
    if device.kind == "cpu":
        return Finding("precision", "ok", f"{dtype} on the CPU")
    capability = ".".join(map(str, device.capability))
    if dtype == "bfloat16":
        return Finding("precision", "ok", f"bf16 (compute capability {capability})")
    found = f"fp16 with loss scaling: no bf16 units at compute capability {capability}"
    return Finding("precision", "note", found, "Nothing to do; 8.0 and up would take bf16.")


def bitsandbytes_finding(device: str, has_cuda: bool, failure: str) -> Finding:
    """Does 4-bit quantisation work on `device`? `failure`: how it went wrong, "" when it did not.

    `has_cuda`: its native library is one for CUDA. A CPU-only one on a GPU machine cannot train.
    """
    if device == "cuda" and not has_cuda:
        override = os.environ.get("BNB_CUDA_VERSION")
        fix = "Unset BNB_CUDA_VERSION." if override else BITSANDBYTES_AGAIN
        return Finding("4-bit", "error", "this bitsandbytes is CPU-only, for a GPU machine", fix)
    if failure:
        return Finding("4-bit", "error", f"bitsandbytes fails: {failure}", BITSANDBYTES_AGAIN)
    library = "CUDA library" if has_cuda else "CPU library"
    return Finding("4-bit", "ok", f"bitsandbytes quantises to NF4 on the {device} ({library})")


def refuse_unfit_bitsandbytes(device: str) -> None:
    """Raise what `doctor` would say, before 4-bit weights are loaded on `device`."""
    finding = bitsandbytes_finding(device, _has_cuda(), "")
    if finding.status == "error":
        raise InputError(f"{finding.found[0].upper()}{finding.found[1:]}.", finding.fix)


def _bitsandbytes(device: str) -> tuple[str, bool, str]:
    """`device`, whether the native library is for CUDA, and how quantising there failed."""
    return device, _has_cuda(), _failure(lambda: _quantise(device))


def _has_cuda() -> bool:
    try:
        from bitsandbytes.cextension import lib
    except Exception:
        return False
    return bool(lib.compiled_with_cuda)


def _quantise(device: str) -> None:
    """NF4 there and back; raises when the values do not come back to within its coarseness."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    values = torch.linspace(-1, 1, 64 * 64, device=device).reshape(64, 64)
    packed, state = quantize_4bit(values, quant_type="nf4", compress_statistics=True)
    furthest = float((dequantize_4bit(packed, state) - values).abs().max())
    # Half of the widest gap between two of NF4's sixteen values is 0.15 of the absmax.
    if furthest > 0.2:
        raise RuntimeError(f"NF4 values come back off by {furthest:.2f}")


def _compute_on_gpu() -> None:
    if float(torch.ones(8, device="cuda").sum()) != 8:
        raise RuntimeError("a sum of eight ones is not 8")


def _failure(work: Callable[[], None]) -> str:
    """The first line of what `work` raises, whatever it is: libraries differ; "" for nothing."""
    try:
        work()
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[0][:160] if lines else type(error).__name__
    return ""


def _describe(index: int) -> str:
    free, total = torch.cuda.mem_get_info(index)
    name = torch.cuda.get_device_name(index)
    return f"{name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"


def _nvidia_cards(bus: Path) -> int:
    """NVIDIA's display and compute devices on the PCI bus, driver or not; 0 where unknown."""
    count = 0
    for device in bus.glob("*"):
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        count += vendor == _NVIDIA and kind.startswith("0x03")
    return count
