"""Dropout whose draws are a function of seed, step, module, row and position (law 2).

torch's own dropout draws in the order of computation, so another micro-batch, or recomputing a
layer, would change what is learnt. Here each element's draw is a hash of where it stands: a
splitmix64-like mixer (Steele, Lea & Flood 2014) over 64-bit counters, 24 bits of it against p.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_MIX_1, _MIX_2 = -4658895280553007687, -7723592293110705685
_BITS = 24


@dataclass
class Place:
    """Where a forward stands: shared by all dropouts of a model, set before each micro-batch."""

    seed: int = 0
    step: int = 0
    row_numbers: Tensor | None = None


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift of signed 64-bit integers."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix(x: Tensor) -> Tensor:
    """A bijection of 64-bit integers whose output bits look independent of its input's."""
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def _signed(x: int) -> int:
    return (x + (1 << 63)) % (1 << 64) - (1 << 63)


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
        return torch.where(self.kept(x), x / (1.0 - self.p), torch.zeros_like(x))

    def kept(self, x: Tensor) -> Tensor:
        """Mask [rows, tokens, width] of the elements that stay."""
        rows = self.place.row_numbers
        assert rows is not None, "dropout needs to know its rows: TrainStep sets them"
        key = (self.place.seed << 40) ^ (self.place.step << 12) ^ self.module_number
        salt = torch.tensor(_signed(key * 0x9E3779B97F4A7C15), device=x.device)
        row = _mix(rows.to(x.device) * _GOLDEN ^ _mix(salt))
        position = torch.arange(x.shape[1], device=x.device) * _GOLDEN
        column = torch.arange(x.shape[2], device=x.device) * _GOLDEN
        token = _mix(row[:, None] + position[None, :])
        draw = _shift(_mix(token[:, :, None] + column), 64 - _BITS)
        return draw >= round(self.p * (1 << _BITS))


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
