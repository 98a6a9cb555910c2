"""Run as a script: every Triton kernel beside its plain twin, by Triton's interpreter on the CPU.

In a process of its own, because the interpreter is chosen when Triton is imported. The last line is
JSON: name of a case to its worst error. In fp32 that is the difference over the largest expected
value; in bf16 it is counted in steps between neighbouring bf16 values of the expected one's size.
The interpreter rounds to bf16 otherwise than a GPU does, so a step for each rounding is right.
"""

import json
import os

os.environ["TRITON_INTERPRET"] = "1"

from collections.abc import Callable

import bitsandbytes as bnb
import torch
from torch import Tensor

from nybble.engine import kernels, plain
from nybble.engine.quantized import Quantized, dequantized, read_quantized

GENERATOR = torch.Generator().manual_seed(20)
POISON = float("nan")
TOKENS = 5


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=GENERATOR).to(dtype)


def apart(x: Tensor, gap: int = 7) -> Tensor:
    """`x` [rows, ...] in a wider poisoned buffer, so that its rows are apart."""
    wide = x.new_full((x.shape[0], x[0].numel() + gap), POISON)
    view = wide[:, : x[0].numel()].unflatten(1, x.shape[1:])
    return view.copy_(x)


def hole(*shape: int, dtype: torch.dtype, gap: int = 7) -> Tensor:
    """A poisoned output [rows, width] whose rows are apart."""
    return apart(torch.full(shape, POISON, dtype=dtype), gap)


def beside(out: Tensor) -> Tensor:
    """What lies between the rows of an `apart` tensor: nobody may write there."""
    return out._base[:, out[0].numel() :] if out._base is not None else out.new_empty(0)


def error(found: Tensor, expected: Tensor, least: float = 2.0**-20) -> float:
    """NaN where something was not written; smaller values than `least` have its steps."""
    difference = (found.double() - expected.double()).abs()
    if found.dtype == torch.bfloat16:
        size = expected.double().abs().clamp(min=least)
        return float((difference / torch.exp2(size.log2().floor() - 7)).max())
    return float(difference.max() / expected.double().abs().max().clamp(min=1e-30))


def compare(run: Callable[[object], list[Tensor]], least: float = 2.0**-20) -> float:
    """The worst error of what `run` gives with the kernels, against what it gives with `plain`."""
    state = GENERATOR.get_state()
    found = run(kernels)
    GENERATOR.set_state(state)
    errors = [error(a, b, least) for a, b in zip(found, run(plain), strict=True)]
    untouched = all(beside(a).isnan().all() for a in found)
    return max(errors) if untouched and not any(e != e for e in errors) else POISON


def norms(dtype: torch.dtype, width: int, more: bool) -> Callable:
    """RMS norm, with and without a delta, forward and backward."""

    def run(ops) -> list[Tensor]:
        h, delta = random(TOKENS, width, dtype=dtype), random(TOKENS, width, dtype=dtype)
        weight, out = random(width, dtype=dtype), hole(TOKENS, width, dtype=dtype)
        total, inverse = ops.add_rms_norm(h, delta if more else None, weight, 1e-5, out)
        return [total, inverse, out]

    return run


def norm_gradients(dtype: torch.dtype, width: int, more: bool) -> Callable:
    def run(ops) -> list[Tensor]:
        x, residual = random(TOKENS, width, dtype=dtype), random(TOKENS, width, dtype=dtype)
        grad, weight = apart(random(TOKENS, width, dtype=dtype)), random(width, dtype=dtype)
        inverse = torch.rsqrt(x.float().pow(2).mean(-1) + 1e-5)
        return [ops.rms_norm_backward(grad, x, inverse, weight, residual if more else None)]

    return run


def rotations(dtype: torch.dtype, heads: int, head_dim: int, back: bool, own: bool) -> Callable:
    """`own`: into the input itself."""

    def run(ops) -> list[Tensor]:
        angles = random(40, head_dim // 2)
        positions = torch.randint(0, 40, (TOKENS,), generator=GENERATOR)
        x = apart(random(TOKENS, heads, head_dim, dtype=dtype))
        out = x if own else hole(TOKENS, heads, head_dim, dtype=dtype)
        ops.rotate(x, angles.cos(), angles.sin(), positions, back, out)
        return [out]

    return run


def swiglu(dtype: torch.dtype, width: int) -> Callable:
    def run(ops) -> list[Tensor]:
        gate_up, out = 3 * random(TOKENS, 2 * width, dtype=dtype), hole(TOKENS, width, dtype=dtype)
        ops.swiglu(gate_up, out)
        return [out]

    return run


def swiglu_gradients(dtype: torch.dtype, width: int) -> Callable:
    def run(ops) -> list[Tensor]:
        gate_up = 3 * random(TOKENS, 2 * width, dtype=dtype)
        ops.swiglu_backward_(gate_up, apart(random(TOKENS, width, dtype=dtype)))
        return [gate_up]

    return run


def copies(dtype: torch.dtype, width: int) -> Callable:
    def run(ops) -> list[Tensor]:
        out = hole(TOKENS, width, dtype=dtype, gap=3)
        ops.copy(apart(random(TOKENS, width, dtype=dtype)), out)
        return [out]

    return run


def losses(dtype: torch.dtype, vocabulary: int) -> Callable:
    """Some targets are not scored; the logits become gradients."""

    def run(ops) -> list[Tensor]:
        logits = apart(3 * random(TOKENS, vocabulary, dtype=dtype))
        targets = torch.tensor([0, vocabulary - 1, -1, 3, -1])
        loss = torch.tensor(2.5)
        ops.cross_entropy_(logits, targets, torch.tensor(0.125), loss)
        return [logits, loss]

    return run


def drops(dtype: torch.dtype, width: int, add: bool) -> Callable:
    def run(ops) -> list[Tensor]:
        keys = torch.randint(-(2**31), 2**31, (TOKENS,), generator=GENERATOR).to(torch.int32)
        x = apart(random(TOKENS, width, dtype=dtype))
        out = apart(random(TOKENS, width, dtype=dtype), 3)
        if add:
            ops.add_dropped_(out, x, keys, 11, 0.3)
        else:
            ops.drop(x, keys, 11, 0.3, out.fill_(POISON))
        return [out]

    return run


def quantise(rows: int, columns: int, blocksize: int, nested: bool) -> Quantized:
    packed, state = bnb.functional.quantize_4bit(
        0.3 * random(rows, columns),
        blocksize=blocksize, compress_statistics=nested, quant_type="nf4",
    )  # fmt: skip
    weight = bnb.nn.Params4bit(packed, requires_grad=False)
    weight.quant_state = state
    return read_quantized(weight)


def dequantise(blocksize: int, nested: bool, columns: int, rank: int, dtype: torch.dtype) -> float:
    """Against the oracle in fp32, exactly; B of rank 3 stands beside where there is a `rank`."""
    rows = 64 if columns == 192 else 8192 // columns + 3  # no weight ends within a block
    weight = quantise(rows, columns, blocksize, nested)
    b = random(rows, 3) if rank else None
    out = hole(rows, columns + max(rank, 2), dtype=dtype)
    kernels.dequantize(weight, out, b, 0.75, 2 if rank else 0)
    expected = torch.zeros(rows, columns + max(rank, 2))
    expected[:, :columns] = dequantized(weight)
    if b is not None:
        expected[:, columns + 2 : columns + 5] = b * 0.75
    exact = dtype != torch.float32 or torch.equal(out, expected)
    clean = beside(out).isnan().all()
    return error(out, expected.to(dtype)) if exact and clean else POISON


def cases() -> dict[str, float]:
    return elementwise(torch.float32, (24, 1100)) | elementwise(torch.bfloat16, (200,)) | weights()


def elementwise(dtype: torch.dtype, widths: tuple[int, ...]) -> dict[str, float]:
    """Widths neither powers of two nor, all, within one block of a kernel."""
    found, kind = {}, str(dtype).removeprefix("torch.")
    for width in widths:
        case = f"{kind} {width}"
        for more in (False, True):
            found[f"norm {case} delta={more}"] = compare(norms(dtype, width, more))
            found[f"norm back {case} residual={more}"] = compare(norm_gradients(dtype, width, more))
        found[f"drop {case}"] = compare(drops(dtype, width, add=False))
        # What is added may cancel: its steps, of values up to 8, are what counts.
        found[f"add dropped {case}"] = compare(drops(dtype, width, add=True), least=4.0)
        found[f"swiglu {case}"] = compare(swiglu(dtype, width))
        found[f"swiglu back {case}"] = compare(swiglu_gradients(dtype, width))
        found[f"copy {case}"] = compare(copies(dtype, width))
    for vocabulary in (50, 4096, 9001):
        found[f"loss {kind} {vocabulary}"] = compare(losses(dtype, vocabulary))
    for heads, head_dim in ((3, 16), (4, 24), (1, 160)):
        for back, own in ((False, False), (True, True)):
            case = f"rotate {kind} {heads}x{head_dim} back={back}"
            found[case] = compare(rotations(dtype, heads, head_dim, back, own))
    return found


def weights() -> dict[str, float]:
    """Blocks that end within a row, and blocks that go on in the next one."""
    found = {}
    for blocksize in (64, 128, 256, 512, 1024, 2048, 4096):
        for nested in (False, True):
            for columns, rank in ((blocksize * 2, 0), (192, 5)):
                case = f"dequantise {blocksize} nested={nested} columns={columns} rank={rank}"
                found[case] = dequantise(blocksize, nested, columns, rank, torch.float32)
    found["dequantise bfloat16"] = dequantise(64, True, 192, 6, torch.bfloat16)
    return found


if __name__ == "__main__":
    print(json.dumps(cases()))
