"""A group of linears against their formula, differentiated by autograd in fp64."""

from collections.abc import Sequence
from dataclasses import dataclass

import bitsandbytes as bnb
import pytest
import torch
from torch import Tensor, nn

from nybble.engine import plain
from nybble.engine.dropout import draws
from nybble.engine.group import Group, Scratch
from nybble.engine.linear import Adapter, Linear
from nybble.engine.quantized import Quantized, dequantized, read_quantized

pytestmark = pytest.mark.slow
INPUTS, TOKENS = 64, 9
WHOLE, ONE_BY_ONE = 2**28, 1
# Of the largest value: sums of some hundred products in fp32.
ERROR = 2e-6
KEYS = torch.randint(-(2**31), 2**31, (TOKENS,), generator=torch.Generator().manual_seed(1)).int()


@dataclass(frozen=True)
class Spec:
    """A linear of the group: `rank` 0 has no adapter."""

    outputs: int
    rank: int
    bias: bool = False
    p: float = 0.0
    quantised: bool = True


ALIKE = [Spec(64, 4), Spec(32, 4), Spec(32, 4)]
GROUPS = {
    "one": [Spec(48, 3)],
    "three": ALIKE,
    "biases": [Spec(64, 4, bias=True), Spec(32, 2, bias=True)],
    "one has a bias": [Spec(64, 4), Spec(32, 2, bias=True)],
    "only some adapted": [Spec(64, 0), Spec(32, 5, bias=True), Spec(16, 0)],
    "none adapted": [Spec(64, 0), Spec(32, 0, bias=True)],
    "not quantised": [Spec(30, 3, quantised=False), Spec(7, 2, bias=True, quantised=False)],
    "dropout": [Spec(64, 4, p=0.1), Spec(32, 2, p=0.1)],
    "dropout of some": [Spec(64, 4, p=0.3), Spec(32, 2), Spec(32, 0, bias=True)],
}


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def quantise(weight: Tensor) -> Quantized:
    packed, state = bnb.functional.quantize_4bit(weight, compress_statistics=True, quant_type="nf4")
    kept = bnb.nn.Params4bit(packed, requires_grad=False)
    kept.quant_state = state
    return read_quantized(kept)


def make_linear(spec: Spec, number: int) -> Linear:
    weight = random(spec.outputs, INPUTS, seed=10 + number)
    adapter = None
    if spec.rank:
        a = nn.Parameter(random(spec.rank, INPUTS, seed=20 + number))
        b = nn.Parameter(random(spec.outputs, spec.rank, seed=30 + number))
        # What an earlier pack left there is added to.
        a.grad, b.grad = torch.full_like(a, 0.5), torch.full_like(b, -2.0)
        adapter = Adapter(a, b, 0.5 + number, spec.p, 7 + number)
    bias = random(spec.outputs, seed=40 + number) if spec.bias else None
    return Linear(quantise(weight) if spec.quantised else weight, bias, adapter)


def make_group(specs: Sequence[Spec], keep: bool, buffer_bytes: int) -> Group:
    linears = [make_linear(spec, number) for number, spec in enumerate(specs)]
    group = Group(linears, plain, Scratch(), torch.float32, keep, buffer_bytes)
    take_over(group)
    return group


@torch.no_grad()
def take_over(group: Group) -> None:
    """What `Transformer.refresh` does for all groups."""
    for rounded, factor in group.rounded():
        rounded.copy_(factor)
    group.refresh()


@dataclass(frozen=True)
class Oracle:
    """Outputs, the input's gradient, and gradients of (A, B) for each adapter, in fp64."""

    y: Tensor
    d_x: Tensor
    factors: list[tuple[Tensor, Tensor]]


def oracle(group: Group, x: Tensor, grad: Tensor, drops: bool) -> Oracle:
    """y = x W^T + b + s drop(x) A^T B^T, linear by linear."""
    x = x.double().requires_grad_()
    parts, factors = [], []
    for linear in group.linears:
        weight = linear.weight
        full = dequantized(weight) if isinstance(weight, Quantized) else weight
        y = x @ full.double().t()
        if linear.bias is not None:
            y = y + linear.bias.double()
        if adapter := linear.adapter:
            a, b = (f.detach().double().requires_grad_() for f in (adapter.a, adapter.b))
            kept = draws(KEYS, adapter.module_number, INPUTS, adapter.p) / (1 - adapter.p)
            dropped = x * kept if drops and adapter.p else x
            y = y + dropped @ a.t() @ b.t() * adapter.scaling
            factors.append((a, b))
        parts.append(y)
    whole = torch.cat(parts, dim=1)
    whole.backward(grad.double())
    assert x.grad is not None
    return Oracle(whole.detach(), x.grad, [(a.grad, b.grad) for a, b in factors])  # type: ignore[misc]


def close(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    error = (found.double() - expected).abs().max() / expected.abs().max()
    assert error < ERROR


def filled(group: Group, x: Tensor, keys: Tensor | None) -> Tensor:
    """The group's input; what is not written would be seen."""
    wide = group.empty_input(TOKENS).fill_(float("nan"))
    wide[:, :INPUTS] = x
    group.fill(wide, keys)
    return wide


@pytest.mark.parametrize("drops", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize(("keep", "room"), [(False, WHOLE), (False, ONE_BY_ONE), (True, WHOLE)],
                         ids=["whole", "one by one", "kept"])  # fmt: skip
@pytest.mark.parametrize("name", GROUPS)
@torch.no_grad()
def test_outputs_and_gradients(name: str, keep: bool, room: int, drops: bool) -> None:
    group = make_group(GROUPS[name], keep, room)
    x, grad = random(TOKENS, INPUTS, seed=1), random(TOKENS, group.outputs, seed=2)
    with torch.enable_grad():
        expected = oracle(group, x, grad, drops)
    keys = KEYS if drops else None
    wide = filled(group, x, keys)
    close(group.forward(wide), expected.y)
    d_x = group.backward(grad, wide, keys)
    close(d_x, expected.d_x)
    for (adapter, _), (d_a, d_b) in zip(group.adapters(), expected.factors, strict=True):
        close(adapter.a.grad, d_a + 0.5)
        close(adapter.b.grad, d_b - 2.0)


@pytest.mark.parametrize("drops", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", GROUPS)
@torch.no_grad()
def test_the_first_trained_group_needs_no_gradient_of_its_input(name: str, drops: bool) -> None:
    group = make_group(GROUPS[name], False, WHOLE)
    x, grad = random(TOKENS, INPUTS, seed=1), random(TOKENS, group.outputs, seed=2)
    with torch.enable_grad():
        expected = oracle(group, x, grad, drops)
    keys = KEYS if drops else None
    group.backward_end(grad, filled(group, x, keys), keys)
    for (adapter, _), (d_a, d_b) in zip(group.adapters(), expected.factors, strict=True):
        close(adapter.a.grad, d_a + 0.5)
        close(adapter.b.grad, d_b - 2.0)


@pytest.mark.parametrize("keep", [False, True])
@torch.no_grad()
def test_an_optimiser_s_step_is_taken_over(keep: bool) -> None:
    group = make_group(ALIKE, keep, WHOLE)
    x, grad = random(TOKENS, INPUTS, seed=1), random(TOKENS, group.outputs, seed=2)
    for adapter, _ in group.adapters():
        adapter.a.mul_(-0.3)
        adapter.b.add_(1.0)
    take_over(group)
    with torch.enable_grad():
        expected = oracle(group, x, grad, False)
    close(group.forward(filled(group, x, None)), expected.y)


@torch.no_grad()
def test_groups_take_turns_in_one_buffer() -> None:
    """Of unlike sizes; none reads what another left there."""
    scratch = Scratch()
    groups = []
    for name in ("only some adapted", "one", "three", "biases"):
        linears = [make_linear(spec, number) for number, spec in enumerate(GROUPS[name])]
        groups.append(Group(linears, plain, scratch, torch.float32, False, WHOLE))
        take_over(groups[-1])
    x = random(TOKENS, INPUTS, seed=1)
    for group in groups + groups[::-1]:
        with torch.enable_grad():
            expected = oracle(group, x, torch.zeros(TOKENS, group.outputs), False)
        close(group.forward(filled(group, x, None)), expected.y)
    largest = max(g.outputs * (g.inputs + g.rank) for g in groups)
    assert scratch.buffer is not None and scratch.buffer.numel() == largest


@torch.no_grad()
def test_no_buffer_is_larger_than_it_may_be() -> None:
    group = make_group(ALIKE, False, ONE_BY_ONE)
    group.forward(filled(group, random(TOKENS, INPUTS, seed=1), None))
    assert group.scratch.buffer is not None
    assert group.scratch.buffer.numel() == 64 * (INPUTS + group.rank)
