"""What a doctor says of GPUs that this machine does not have."""

from pathlib import Path

import pytest

from nybble.planner.device import Device

pytestmark = pytest.mark.slow

USED = {"devices": ("NVIDIA H200, 139.0 of 140.0 GB free",), "cuda_build": "13.0", "cards": 1,
        "driver": True, "visible": None, "broken": ""}  # fmt: skip
NONE = {"devices": (), "cuda_build": None, "cards": 0, "driver": False, "visible": None,
        "broken": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "status", "found", "fix"),
    [
        (USED, "ok", "H200", ""),
        (USED | {"broken": "no kernel image is available"}, "error", "no kernel", "CUDA build"),
        ({}, "note", "none on this machine", "CPU"),
        ({"cards": 1}, "note", "no driver", "--gpus all"),
        ({"driver": True, "cards": 1}, "error", "CPU build", "CUDA build of torch"),
        (
            {"driver": True, "cuda_build": "13.0", "broken": "driver is too old"},
            "error", "too old", "supports CUDA 13.0",
        ),
        (
            {"driver": True, "cuda_build": "13.0", "broken": "x", "visible": ""},
            "note", "hidden by CUDA_VISIBLE_DEVICES", "Unset",
        ),
        ({"driver": True, "visible": "-1"}, "note", "hidden", "Unset"),
    ],
)  # fmt: skip
def test_why_there_is_no_gpu(change, status, found, fix) -> None:
    from nybble.model.gpu_check import GpuFacts, gpu_finding

    finding = gpu_finding(GpuFacts(**(NONE | change)))
    assert finding.status == status
    assert found in finding.found
    assert fix in finding.fix
    assert bool(finding.fix) == (status != "ok")


@pytest.mark.parametrize(
    ("device", "status", "found"),
    [
        (Device("cuda", "Tesla T4", (7, 5), 15), "note", "fp16 with loss scaling"),
        (Device("cuda", "A10", (8, 6), 15), "ok", "bf16 (compute capability 8.6)"),
        (Device("cpu", "x", (0, 0), 15), "ok", "float32 on the CPU"),
    ],
)
def test_precision_follows_the_capability(device: Device, status: str, found: str) -> None:
    from nybble.model.gpu_check import precision_finding

    finding = precision_finding(device)
    assert finding.status == status
    assert found in finding.found


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("cuda", True, ""), "ok", "CUDA library"),
        (("cpu", False, ""), "ok", "CPU library"),
        (("cuda", False, ""), "error", "CPU-only"),
        (("cuda", False, "Method not available"), "error", "CPU-only"),
        (("cuda", True, "no kernel image"), "error", "no kernel image"),
        (("cpu", False, "No module named 'bitsandbytes'"), "error", "No module"),
    ],
)
def test_bitsandbytes(arguments, status, text, monkeypatch: pytest.MonkeyPatch) -> None:
    from nybble.model.gpu_check import bitsandbytes_finding

    monkeypatch.delenv("BNB_CUDA_VERSION", raising=False)
    finding = bitsandbytes_finding(*arguments)
    assert finding.status == status
    assert text in finding.found
    assert bool(finding.fix) == (status == "error")
    monkeypatch.setenv("BNB_CUDA_VERSION", "124")
    if "CPU-only" in finding.found:
        assert bitsandbytes_finding(*arguments).fix == "Unset BNB_CUDA_VERSION."


def test_quantising_is_tried_and_a_wrong_answer_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    import bitsandbytes.functional as functional

    from nybble.model import gpu_check

    assert gpu_check._failure(lambda: gpu_check._quantise("cpu")) == ""
    monkeypatch.setattr(functional, "dequantize_4bit", lambda packed, state: 0.0)
    assert "off by 1.00" in gpu_check._failure(lambda: gpu_check._quantise("cpu"))


def test_cards_on_the_bus(tmp_path: Path) -> None:
    from nybble.model.gpu_check import _nvidia_cards

    for slot, vendor, kind in (
        ("0", "0x10de", "0x030200"),
        ("1", "0x10de", "0x040300"),  # its audio device
        ("2", "0x8086", "0x030000"),
        ("3", "0x10de", "0x030000"),
    ):
        (tmp_path / slot).mkdir()
        (tmp_path / slot / "vendor").write_text(f"{vendor}\n")
        (tmp_path / slot / "class").write_text(f"{kind}\n")
    (tmp_path / "4").mkdir()
    assert _nvidia_cards(tmp_path) == 2
    assert _nvidia_cards(tmp_path / "nowhere") == 0
