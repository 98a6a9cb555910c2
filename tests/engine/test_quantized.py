"""The oracle of all dequantisation, against bitsandbytes' and a walk code by code."""

import bitsandbytes as bnb
import pytest
import torch
from torch import Tensor

from nybble.engine import plain
from nybble.engine.quantized import (
    Quantized,
    dequantized,
    read_quantized,
    read_weight,
    shape_of,
)

pytestmark = pytest.mark.slow
BLOCKSIZES = (64, 128, 256, 512, 1024)  # above, bitsandbytes compiles its way: seconds


def quantise(rows: int, columns: int, blocksize: int, nested: bool, kind: str = "nf4") -> Quantized:
    values = 0.3 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(blocksize))
    packed, state = bnb.functional.quantize_4bit(
        values, blocksize=blocksize, compress_statistics=nested, quant_type=kind
    )
    weight = bnb.nn.Params4bit(packed, requires_grad=False)
    weight.quant_state = state
    return read_quantized(weight)


def code_by_code(weight: Quantized) -> Tensor:
    """The definition: a value at a time, in Python's own fp64."""
    values = []
    packed, code, scales = weight.packed.flatten().tolist(), weight.code.tolist(), weight.scales
    for place in range(weight.rows * weight.columns):
        byte = packed[place // 2]
        block = place // weight.blocksize
        scale = float(scales[block])
        if weight.scale_code is not None:
            outer = float(weight.scale_scales[block // weight.scale_blocksize])
            scale = float(weight.scale_code[int(scale)]) * outer + float(weight.scale_offset)
        values.append(code[byte & 15 if place % 2 else byte >> 4] * scale)
    return torch.tensor(values, dtype=torch.float64).view(weight.rows, weight.columns)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
def test_the_oracle_is_the_definition(nested: bool, kind: str) -> None:
    weight = quantise(64, 96, 64, nested, kind)
    expected = code_by_code(weight)
    assert torch.allclose(dequantized(weight).double(), expected, rtol=3e-7, atol=0)


def test_more_blocks_than_share_an_outer_scale() -> None:
    weight = quantise(320, 128, 64, nested=True)
    assert weight.scales.numel() > 2 * weight.scale_blocksize
    expected = bnb.functional.dequantize_4bit(weight.packed, weight.state)
    assert torch.allclose(dequantized(weight), expected, rtol=1e-6, atol=0)


def check_plain(weight: Quantized) -> None:
    b = torch.randn(weight.rows, 3)
    k = weight.columns
    out = torch.full((weight.rows, k + 8), float("nan"))
    plain.dequantize(weight, out, b, 0.75, 2)
    assert torch.allclose(out[:, :k], dequantized(weight), rtol=1e-6, atol=0)
    assert torch.equal(out[:, k + 2 : k + 5], b * 0.75)
    assert not out[:, k : k + 2].any() and not out[:, k + 5 :].any()


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("blocksize", BLOCKSIZES)
def test_plain_dequantisation_writes_the_weights_and_b_beside_them(
    blocksize: int, nested: bool
) -> None:
    check_plain(quantise(12, 3 * blocksize, blocksize, nested))


@pytest.mark.xfail(reason="bitsandbytes 0.50.2 on CPUs begins each row at a block")
def test_plain_dequantisation_where_blocks_go_on_in_the_next_row() -> None:
    """So the stock model's weights are as wrong there; no width that is a multiple of 64 is."""
    check_plain(quantise(64, 96, 64, nested=True))


def test_without_b_there_are_zeros_beside_them() -> None:
    weight = quantise(64, 64, 64, nested=True)
    out = torch.full((64, 70), float("nan"))
    plain.dequantize(weight, out)
    assert not out[:, 64:].any()


def test_nothing_is_copied_of_a_linear_s_weight() -> None:
    linear = bnb.nn.Linear4bit(64, 32, quant_type="nf4", compress_statistics=True).to("cpu")
    weight = read_weight(linear)
    assert isinstance(weight, Quantized)
    assert shape_of(weight) == (32, 64)
    assert weight.packed.data_ptr() == linear.weight.data_ptr()
    assert weight.scales.data_ptr() == linear.weight.quant_state.absmax.data_ptr()


def test_a_linear_that_is_not_quantised() -> None:
    linear = torch.nn.Linear(5, 3)
    weight = read_weight(linear)
    assert weight.data_ptr() == linear.weight.data_ptr()
    assert shape_of(weight) == (3, 5)
