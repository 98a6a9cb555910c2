"""Inputs of recomputed layers between forward and backward: on the device, or in the host's memory.

They lie in one block: between other tensors, each would leave a hole behind it.
"""

from typing import Protocol

import torch
from torch import Tensor


class Shelf(Protocol):
    """A stack of inputs [tokens, width]."""

    def put(self, x: Tensor) -> None: ...

    def take(self) -> Tensor: ...


class DeviceShelf:
    """A stack in a block [layers, tokens, width] on the device."""

    def __init__(self, block: Tensor) -> None:
        self.block = block
        self.count = 0

    def put(self, x: Tensor) -> None:
        """Keep a copy of `x`."""
        self.block[self.count].copy_(x)
        self.count += 1

    def take(self) -> Tensor:
        """The input that was put last."""
        self.count -= 1
        return self.block[self.count]


class HostShelf:
    """A stack in `block` [layers, tokens, width], which is pinned memory of the host.

    Copies run on `stream`, beside the computation: an input leaves while the next layer is
    computed, and is fetched while the layer above it is differentiated.
    """

    def __init__(self, block: Tensor, stream: torch.cuda.Stream) -> None:
        self.block = block
        self.stream = stream
        self.count = 0
        self.leaving: Tensor | None = None
        self.coming: Tensor | None = None

    def put(self, x: Tensor) -> None:
        """Begin to copy `x` out; the one before it has left by then."""
        if self.leaving is not None:
            self._wait()
        self.leaving = x
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.block[self.count].copy_(x, non_blocking=True)
        self.count += 1

    def take(self) -> Tensor:
        """The input that was put last; the one before it is fetched meanwhile."""
        if self.coming is None:
            self._fetch()
        self._wait()
        x = self.coming
        assert x is not None
        self.coming = None
        if self.count:
            self._fetch()
        return x

    def _fetch(self) -> None:
        self.count -= 1
        shape, dtype = self.block.shape[1:], self.block.dtype
        self.coming = torch.empty(shape, dtype=dtype, device=self.stream.device)
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            self.coming.copy_(self.block[self.count], non_blocking=True)

    def _wait(self) -> None:
        """What the copying stream reads or writes may be used, or let go of, after this."""
        torch.cuda.current_stream().wait_stream(self.stream)
        self.leaving = None
