"""The engine's elementwise operations in plain torch: what CPUs run, and the kernels' oracles.

`nybble.engine.kernels` has the same functions for CUDA. Everything is computed in fp32 and rounded
once, where it is written.
"""

import bitsandbytes as bnb
import torch
from torch import Tensor
from torch.nn import functional

from nybble.engine.dropout import draws
from nybble.engine.quantized import Quantized


def dequantize(
    weight: Quantized, out: Tensor, b: Tensor | None = None, scaling: float = 1.0, first: int = 0
) -> None:
    """Write the weights of `weight` into `out` [outputs, inputs + beside].

    And `b` [outputs, r] times `scaling` beside them, from column `first` on; else zeros.
    """
    out[:, : weight.columns].copy_(bnb.functional.dequantize_4bit(weight.packed, weight.state))
    write_beside(out[:, weight.columns :], b, scaling, first)


def write_beside(out: Tensor, b: Tensor | None, scaling: float, first: int) -> None:
    """Write `b` [outputs, r] times `scaling` into `out` from column `first` on; else zeros."""
    out.zero_()
    if b is not None:
        out[:, first : first + b.shape[1]].copy_(b * scaling)


def add_rms_norm(
    h: Tensor, delta: Tensor | None, weight: Tensor, eps: float, out: Tensor
) -> tuple[Tensor, Tensor]:
    """h + delta, its RMS norm (Zhang & Sennrich 2019) times `weight` into `out`; all [rows, width].

    Gives the sum, rounded as the residual stream is, and 1 / rms [rows] in fp32.
    """
    total = h if delta is None else h + delta
    x = total.float()
    inverse = torch.rsqrt(x.pow(2).mean(-1) + eps)
    out.copy_(x * inverse[:, None] * weight.float())
    return total, inverse


def rms_norm_backward(
    grad: Tensor, x: Tensor, inverse: Tensor, weight: Tensor, residual: Tensor | None
) -> Tensor:
    """Gradient of x [rows, width], given the normed output's; plus `residual`."""
    normed = x.float() * inverse[:, None]
    scaled = grad.float() * weight.float()
    result = inverse[:, None] * (scaled - normed * (scaled * normed).mean(-1, keepdim=True))
    if residual is not None:
        result = result + residual.float()
    return result.to(x.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor, positions: Tensor, back: bool, out: Tensor) -> None:
    """Rotary embedding (Su et al. 2021) of x [tokens, heads, head_dim] into `out`, or its inverse.

    `cos`, `sin` [positions, head_dim / 2] in fp32.
    """
    c, s = cos[positions][:, None, :], sin[positions][:, None, :]
    if back:
        s = -s
    first, second = x.float().chunk(2, dim=-1)
    rotated = torch.cat([first * c - second * s, second * c + first * s], dim=-1)
    out.copy_(rotated)


def copy(x: Tensor, out: Tensor) -> None:
    """Copy x [tokens, width] into `out`; rows of both may be apart."""
    out.copy_(x)


def swiglu(gate_up: Tensor, out: Tensor) -> None:
    """silu(gate) * up (Shazeer 2020) of [tokens, 2 x width] into `out` [tokens, width]."""
    gate, up = gate_up.float().chunk(2, dim=-1)
    out.copy_(functional.silu(gate) * up)


def swiglu_backward_(gate_up: Tensor, grad: Tensor) -> None:
    """`gate_up` [tokens, 2 x width] becomes its own gradient, of the outputs' `grad`."""
    gate, up = gate_up.float().chunk(2, dim=-1)
    share = torch.sigmoid(gate)
    wide = grad.float()
    d_gate = wide * up * share * (1 + gate * (1 - share))
    gate_up.copy_(torch.cat([d_gate, wide * gate * share], dim=-1))


def cross_entropy_(logits: Tensor, targets: Tensor, weight: Tensor, loss_sum: Tensor) -> None:
    """Add the losses of `logits` [scored, vocabulary] to `loss_sum` []; logits become gradients.

    The gradient is that of the sum times `weight` []. A target below 0 is not scored.
    """
    scored = targets >= 0
    wide = logits.float()
    log_sum = torch.logsumexp(wide, dim=-1)
    picked = targets.clamp(min=0)[:, None]
    loss_sum += ((log_sum - wide.gather(1, picked)[:, 0]) * scored).sum()
    wide.sub_(log_sum[:, None]).exp_()
    wide.scatter_add_(1, picked, -torch.ones_like(log_sum)[:, None])
    logits.copy_(wide * (weight * scored)[:, None])


def drop(x: Tensor, keys: Tensor, module: int, p: float, out: Tensor) -> None:
    """Inverted dropout of x [tokens, width] into `out`; `keys` [tokens] say where each stands."""
    kept = draws(keys, module, x.shape[-1], p)
    out.copy_(torch.where(kept, x.float() / (1.0 - p), 0.0))


def add_dropped_(total: Tensor, x: Tensor, keys: Tensor, module: int, p: float) -> None:
    """Add to `total` [tokens, width] the dropout of `x`: its gradient is the same function."""
    kept = draws(keys, module, x.shape[-1], p)
    total.add_(torch.where(kept, x.float() / (1.0 - p), 0.0).to(total.dtype))
