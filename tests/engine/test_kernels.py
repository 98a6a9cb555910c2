"""The Triton kernels against their plain twins, in a process where Triton interprets them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import nybble

pytestmark = pytest.mark.slow
pytest.importorskip("triton", reason="torch has no Triton on this platform")

# In fp32, of the largest value; in bf16, in steps between neighbours. See kernel_session.
FP32_ERROR, BF16_STEPS, BF16_STEPS_ROUNDED_TWICE = 1e-6, 1.01, 2.01


@pytest.fixture(scope="module")
def errors() -> dict[str, float]:
    session = Path(__file__).with_name("kernel_session.py")
    done = subprocess.run(
        [sys.executable, str(session)],
        env=os.environ | {"PYTHONPATH": str(Path(nybble.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "kernel",
    ["norm", "norm back", "rotate", "swiglu", "swiglu back", "copy", "drop", "add dropped",
     "loss", "dequantise"],
)  # fmt: skip
def test_a_kernel_equals_its_plain_twin(errors, kernel: str) -> None:
    own = {case: e for case, e in errors.items() if case.startswith((f"{kernel} f", f"{kernel} b"))}
    own |= {case: e for case, e in errors.items() if kernel == "dequantise" and kernel in case}
    assert any("bfloat16" in case for case in own)
    twice = kernel in ("norm", "add dropped")
    steps = BF16_STEPS_ROUNDED_TWICE if twice else BF16_STEPS
    too_far = {
        case: error
        for case, error in own.items()
        if not error <= (steps if "bfloat16" in case else FP32_ERROR)
    }
    assert not too_far


def test_dequantised_weights_are_exact_in_fp32(errors) -> None:
    exact = [e for case, e in errors.items() if case.startswith("dequantise") and "bf" not in case]
    assert len(exact) == 7 * 2 * 2
    assert set(exact) == {0.0}
