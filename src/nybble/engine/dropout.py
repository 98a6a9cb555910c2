"""Dropout whose draws are a function of seed, step, module, row and position (law 2).

torch's own dropout draws in the order of computation, so another micro-batch, packing, or
recomputing a layer, would change what is learnt. Here each element's draw is a hash of where it
stands: a key for each token, made on the host, mixed with the module and the column by a 32-bit
mixer (C. Wellons' lowbias32), 24 bits of it against p.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = (1 << 64) - 1
MIX_1, MIX_2, STRIDE = 0x7FEB352D, 0x846CA68B, 0x9E3779B9
BITS = 24


def signed(word: int) -> int:
    """A 32-bit word as the signed integer of the same bits, which is what torch has."""
    word &= 0xFFFFFFFF
    return word - (1 << 32) if word >> 31 else word


def _mix64(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection of 64-bit integers (splitmix64's, Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def token_keys(
    seed: int, step: int, rows: NDArray[np.int64], positions: NDArray[np.int64]
) -> NDArray[np.int32]:
    """A key for each token, by the number of its row in the training set and its place in it."""
    begin = np.array([(seed << 32 ^ step) * _GOLDEN & _WORD], dtype=np.uint64)
    row = _mix64(rows.astype(np.uint64) * np.uint64(_GOLDEN) ^ _mix64(begin))
    token = _mix64(row + positions.astype(np.uint64) * np.uint64(_GOLDEN))
    return (token >> np.uint64(32)).astype(np.uint32).view(np.int32)


def _mix(x: Tensor) -> Tensor:
    """lowbias32 of int32 words; torch shifts them arithmetically, so the sign is masked away."""
    x = (x ^ ((x >> 16) & 0xFFFF)) * signed(MIX_1)
    x = (x ^ ((x >> 15) & 0x1FFFF)) * signed(MIX_2)
    return x ^ ((x >> 16) & 0xFFFF)


def threshold(p: float) -> int:
    """Draws of 24 bits below it are dropped."""
    return round(p * (1 << BITS))


def draws(keys: Tensor, module: int, width: int, p: float) -> Tensor:
    """Mask [..., width] of the elements that stay, for token `keys` [...] in int32."""
    token = _mix(keys ^ signed(module * MIX_1 + 1))
    column = torch.arange(width, device=keys.device, dtype=torch.int32) * signed(STRIDE)
    draw = (_mix(token[..., None] + column) >> (32 - BITS)) & ((1 << BITS) - 1)
    return draw >= threshold(p)


@dataclass
class Place:
    """Where a forward stands: shared by all dropouts of a model, set before each micro-batch."""

    seed: int = 0
    step: int = 0
    keys: Tensor | None = None


class PlacedDropout(nn.Module):
    """Inverted dropout with probability `p` on activations [rows, tokens, width]."""

    def __init__(self, p: float, module_number: int, place: Place) -> None:
        super().__init__()
        self.p = p
        self.module_number = module_number
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        keys = self.place.keys
        assert keys is not None, "dropout needs to know its rows: TrainStep sets them"
        kept = draws(keys, self.module_number, x.shape[-1], self.p)
        return torch.where(kept, x / (1.0 - self.p), torch.zeros_like(x))


def place_dropouts(model: nn.Module, seed: int) -> Place:
    """Put placed dropout where PEFT put its own, and give the place that they all share."""
    place = Place(seed=seed)
    found = [getattr(module, "lora_dropout", None) for module in model.modules()]
    for number, dropouts in enumerate(d for d in found if isinstance(d, nn.ModuleDict)):
        for name, dropout in dropouts.items():
            if isinstance(dropout, nn.Dropout):
                placed = PlacedDropout(dropout.p, number, place)
                dropouts[name] = placed.train(dropout.training)
    return place
