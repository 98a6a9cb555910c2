import pytest

from nybble.planner.device import Device
from nybble.planner.precision import compute_dtype
from nybble.runs.errors import InputError

T4 = Device("cuda", "Tesla T4", (7, 5), 15_000_000_000)
H200 = Device("cuda", "NVIDIA H200", (9, 0), 140_000_000_000)
CPU = Device("cpu", "x86_64", (0, 0), 8_000_000_000)
AMX = Device("cpu", "x86_64", (0, 0), 8_000_000_000, has_amx=True)


@pytest.mark.parametrize(
    ("device", "expected"),
    [(T4, "float16"), (H200, "bfloat16"), (CPU, "float32"), (AMX, "bfloat16")],
)
def test_auto_follows_the_policy(device: Device, expected: str) -> None:
    assert compute_dtype(device) == expected


def test_what_is_asked_for_holds() -> None:
    assert compute_dtype(H200, "float32") == "float32"
    assert compute_dtype(AMX, "float32") == "float32"


@pytest.mark.parametrize(("device", "asked"), [(T4, "bfloat16"), (CPU, "float16")])
def test_what_the_device_lacks_is_refused(device: Device, asked: str) -> None:
    with pytest.raises(InputError, match=asked):
        compute_dtype(device, asked)
